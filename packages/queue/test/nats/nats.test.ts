import { randomUUID } from 'node:crypto';
import { connect } from '@nats-io/transport-node';
import { type NatsServer, startNats, startTcpProxy, type TcpProxy } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nats } from '../../src/adapters/nats.ts';
import { queueConformance } from '../../src/conformance.ts';
import {
  type Delivery,
  type Driver,
  GroupGoneError,
  QueueFullError,
  UnroutedError,
} from '../../src/index.ts';

const { capabilities } = nats({ connection: {} });

describeWith('nats', 'on NATS', () => {
  let server: NatsServer;
  let proxy: TcpProxy;
  beforeAll(async () => {
    server = await startNats({ own: true });
    proxy = await startTcpProxy({ target: server.port });
  });
  afterAll(async () => {
    await proxy.stop();
    await server.stop();
  });

  queueConformance(
    { describe, it },
    async () => {
      const prefix = randomUUID();
      const drivers: Driver[] = [];
      const open = () => {
        const connection = { servers: `127.0.0.1:${proxy.port}` };
        const driver = nats({ connection, prefix, leaseMs: 2_000 });
        drivers.push(driver);
        return driver;
      };
      return {
        driver: open(),
        other: async () => open(),
        break: async () => proxy.cut(),
        async [Symbol.asyncDispose]() {
          await Promise.all(drivers.map(driver => driver[Symbol.asyncDispose]()));
        },
      };
    },
    { name: 'nats', capabilities, features: { others: true, breaks: true } },
  );

  const at = (port: number, options: object = {}) =>
    nats({ connection: { servers: `127.0.0.1:${port}` }, prefix: randomUUID(), leaseMs: 2_000, ...options });
  const message = (id: string) => ({ id, body: Buffer.from(id), headers: {} });

  it('ends the iterations of a group that is deleted, and its probe rejects', async () => {
    const prefix = randomUUID();
    await using driver = at(server.port, { prefix });
    await driver.declare('work', 'group');
    await driver.probe!('work', 'group');
    const ended = (async () => {
      const options = { prefetch: 2, signal: new AbortController().signal };
      for await (const delivery of driver.consume('work', 'group', options)) await delivery.ack();
    })();
    ended.catch(() => {}); // Until it is looked at
    const admin = await connect({ servers: `127.0.0.1:${server.port}` });
    await admin.request(`$JS.API.CONSUMER.DELETE.${prefix}_work.group`);
    await admin.close();
    await expect(ended).rejects.toThrow(GroupGoneError);
    await expect(driver.probe!('work', 'group')).rejects.toThrow(GroupGoneError);
    await expect(driver.stats!('work', 'group')).rejects.toThrow(GroupGoneError);
  });

  it('refuses what is too much for a topic, and takes it when there is room', async () => {
    await using driver = at(server.port, { maxMessages: 3 });
    await driver.declare('work', 'group');
    const results = await driver.publish('work', ['1', '2', '3', '4'].map(message));
    expect(results.map(({ ok }) => ok)).toEqual([true, true, true, false]);
    expect(results[3]).toMatchObject({ outcome: 'NotExecuted', error: expect.any(QueueFullError) });
    const stop = new AbortController();
    for await (const delivery of driver.consume('work', 'group', { prefetch: 1, signal: stop.signal })) {
      await delivery.ack();
      stop.abort();
    }
    await expect.poll(async () => (await driver.publish('work', [message('4')]))[0]!.ok).toBe(true);
  });

  it('refuses a message that the server would not take', async () => {
    await using driver = at(server.port);
    await driver.declare('work', 'group');
    const [result] = await driver.publish('work', [{ ...message('big'), body: new Uint8Array(2_000_000) }]);
    expect(result).toMatchObject({ ok: false, outcome: 'NotExecuted' });
  });

  it('keeps texts of any kind in ids, keys, headers and names', async () => {
    await using driver = at(server.port);
    await driver.declare('order.placed_1', 'Mail.A_b');
    const headers = { 'ce-subject': 'Grüße, 世界 😀 100 % ', empty: '', colon: 'a: b' };
    const sent = { ...message('ö*.> %41'), key: 'tenant 7 ü', headers };
    expect(await driver.publish('order.placed_1', [sent])).toEqual([{ ok: true }]);
    const stop = new AbortController();
    const found: Delivery[] = [];
    for await (const delivery of driver.consume('order.placed_1', 'Mail.A_b', {
      prefetch: 1,
      signal: stop.signal,
    })) {
      found.push(delivery);
      await delivery.nack({ dead: 'Grund: ü' });
      stop.abort();
    }
    expect(found[0]).toMatchObject({ id: sent.id, key: sent.key, headers });
    const [letter] = await driver.inspect!('order.placed_1', 'Mail.A_b', { limit: 10 });
    expect(letter).toMatchObject({ id: sent.id, key: sent.key, headers, reason: 'Grund: ü' });
  });

  it('goes on after the server was killed, with all that was confirmed', { timeout: 60_000 }, async () => {
    await using own = await startNats({ own: true });
    await using driver = at(own.port, { timeoutMs: 2_000 });
    await driver.declare('work', 'group');
    await driver.publish('work', ['1', '2', '3'].map(message));
    const handled: string[] = [];
    const stop = new AbortController();
    const consuming = (async () => {
      for await (const delivery of driver.consume('work', 'group', { prefetch: 1, signal: stop.signal })) {
        await delivery.ack().catch(() => {});
        handled.push(delivery.id);
        if (handled.length === 1) await own.kill();
      }
    })();
    await expect.poll(() => handled.length, { timeout: 10_000 }).toBeGreaterThan(0);
    const [refused] = await driver.publish('work', [message('4')]);
    expect(refused!.ok).toBe(false);
    await own.restart();
    await expect.poll(() => new Set(handled).size, { timeout: 20_000 }).toBeGreaterThanOrEqual(3);
    stop.abort();
    await consuming;
  });

  it('says that nobody receives a message of a topic that was deleted', async () => {
    await using driver = at(server.port);
    const [result] = await driver.publish('nothing', [message('1')]);
    expect(result).toMatchObject({ ok: false, error: expect.any(UnroutedError) });
  });

  it('refuses names that are too long together, and makes nothing of them', async () => {
    const prefix = randomUUID();
    await using driver = at(server.port, { prefix });
    const long = 'x'.repeat(128);
    await driver.declare(long, 'y'.repeat(80));
    const refused = { code: 'ASHLAR_CORE_INVALID_OPTION', message: expect.stringMatching(/255 bytes/) };
    await expect(driver.declare(long, long)).rejects.toMatchObject({ ...refused, option: 'group' });
    const dotted = 'a.'.repeat(60);
    await expect(driver.declare(dotted, 'g')).rejects.toMatchObject({ ...refused, option: 'topic' });
    expect(await driver.publish(dotted, [message('1')])).toMatchObject([
      { ok: false, outcome: 'NotExecuted', error: refused },
    ]);
    const admin = await connect({ servers: `127.0.0.1:${server.port}` });
    const { data } = await admin.request('$JS.API.STREAM.NAMES', '{}');
    await admin.close();
    const { streams } = JSON.parse(new TextDecoder().decode(data)) as { streams: string[] };
    expect(streams.filter(name => name.startsWith(prefix))).toHaveLength(3);
  });
});
