import { eventually } from '@workspace/services';
import { expect, it } from 'vitest';
import { startBroker, zeromq } from '../../src/adapters/zeromq.ts';
import { type Delivery, InvalidPayloadError, type OutgoingMessage } from '../../src/index.ts';

const mebi = 2 ** 20;
const soon = { withinMs: 60_000 };

function message(id: string, bytes = 1, headers: Record<string, string> = {}): OutgoingMessage {
  return { id, body: new Uint8Array(bytes), headers };
}

it('refuses messages that the broker would not take, at once, and goes on with the others', async () => {
  await using broker = await startBroker({ bind: 'tcp://127.0.0.1:*' });
  await using driver = zeromq({ connect: broker.endpoint, maxUnconfirmedBytes: 2 ** 30 });
  await driver.declare('work', 'group');
  const long = { note: 'x'.repeat(65 * mebi) };
  const batch = [message('a'), message('body', 65 * mebi), message('head', 1, long), message('b')];
  const refused = { ok: false, outcome: 'NotExecuted', error: expect.any(InvalidPayloadError) };
  expect(await driver.publish('work', batch)).toMatchObject([{ ok: true }, refused, refused, { ok: true }]);
  expect(await driver.stats!('work', 'group')).toMatchObject({ waiting: 2 });
  expect(broker.snapshot().clients).toBe(1);
});

it('carries the largest messages, and many with long headers, in pieces that the broker takes', async () => {
  await using broker = await startBroker({ bind: 'tcp://127.0.0.1:*' });
  await using driver = zeromq({ connect: broker.endpoint, maxUnconfirmedBytes: 2 ** 30, timeoutMs: 60_000 });
  await driver.declare('work', 'group');
  expect(await driver.publish('work', [message('large', 62 * mebi)])).toEqual([{ ok: true }]);
  const headers = { note: '"'.repeat(mebi) };
  const many = Array.from({ length: 70 }, (_, n) => message(`n${n}`, 1, headers));
  expect(await driver.publish('work', many)).toMatchObject(many.map(() => ({ ok: true })));
  const stop = new AbortController();
  const options = { prefetch: 100, signal: stop.signal };
  const seen = new Map<string, Delivery>();
  for await (const delivery of driver.consume('work', 'group', options)) {
    seen.set(delivery.id, delivery);
    await delivery.ack();
    if (seen.size === 71) stop.abort();
  }
  expect(seen.get('large')!.body.byteLength).toBe(62 * mebi);
  expect(seen.get('n69')!.headers).toEqual(headers);
}, 180_000);

it('hands out more than may wait for a client, as fast as that takes it', async () => {
  await using broker = await startBroker({ bind: 'tcp://127.0.0.1:*', leaseMs: 60_000 });
  await using driver = zeromq({ connect: broker.endpoint, maxUnconfirmedBytes: 2 ** 30, timeoutMs: 60_000 });
  await driver.declare('work', 'group');
  for (let n = 0; n < 20; n++) {
    expect(await driver.publish('work', [message(`n${n}`, 16 * mebi)])).toEqual([{ ok: true }]);
  }
  const stop = new AbortController();
  const seen = new Map<string, Delivery>();
  const consuming = (async () => {
    for await (const delivery of driver.consume('work', 'group', { prefetch: 50, signal: stop.signal })) {
      expect(delivery.deliveries).toBe(1);
      seen.set(delivery.id, delivery);
    }
  })();
  await eventually(async () => expect(seen.size).toBe(20), soon);
  await Promise.all([...seen.values()].map(delivery => delivery.ack()));
  stop.abort();
  await consuming;
}, 180_000);

it('refuses a progress that the broker would not take, at once, and the message is settled as any other (srand/jolt 90)', async () => {
  await using broker = await startBroker({ bind: 'tcp://127.0.0.1:*', leaseMs: 60_000 });
  await using driver = zeromq({ connect: broker.endpoint, timeoutMs: 60_000 });
  await driver.declare('work', 'group');
  await driver.publish('work', [message('a')]);
  const stop = new AbortController();
  for await (const delivery of driver.consume('work', 'group', { prefetch: 1, signal: stop.signal })) {
    const progress = delivery.progress!(new Uint8Array(65 * mebi));
    await expect(progress).rejects.toThrow(InvalidPayloadError);
    await delivery.progress!(Buffer.from('1'));
    await delivery.ack();
    stop.abort();
  }
  expect(await driver.stats!('work', 'group')).toMatchObject({ waiting: 0, active: 0 });
});
