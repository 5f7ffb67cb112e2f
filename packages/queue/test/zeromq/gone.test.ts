import { eventually, startTcpProxy } from '@workspace/services';
import { expect, it } from 'vitest';
import { startBroker, zeromq } from '../../src/adapters/zeromq.ts';
import { Reader, times } from '../../src/conformance/subject.ts';

const soon = { withinMs: 20_000 };

it('a client that has gone is given nothing more when its leases end, until it is heard again', async () => {
  // Shorter than the silence after which a client counts as gone
  await using broker = await startBroker({ bind: 'tcp://127.0.0.1:*', leaseMs: 2_000 });
  const port = Number(/\d+$/.exec(broker.endpoint)![0]);
  await using proxy = await startTcpProxy({ target: port });
  await using driver = zeromq({ connect: broker.endpoint });
  await using far = zeromq({ connect: `tcp://127.0.0.1:${proxy.port}` });
  const ids = times(10, n => `${n}`);
  await driver.declare('work', 'group');
  await driver.publish(
    'work',
    ids.map(id => ({ id, body: new Uint8Array(), headers: {} })),
  );
  let received = 0;
  const each = async () => {
    if (++received === 2) proxy.stall();
  };
  await using reader = new Reader(far, 'work', 'group', { prefetch: 2, each });
  await eventually(async () => expect(received).toBe(2), soon);
  await eventually(async () => expect(broker.snapshot().clients).toBe(1), soon);
  const jobs = await Promise.all(ids.map(id => driver.find!('work', 'group', id)));
  expect(jobs.map(job => job?.deliveries)).toEqual([1, 1, ...times(8, () => 0)]);

  proxy.resume();
  await eventually(async () => expect(reader.received.length).toBeGreaterThan(2), soon);
  expect(reader.error).toBeUndefined();
});
