import type { Clock } from '@ashlar/core';
import { ManualClock } from '@ashlar/core/testing';
import { describe, expect, it } from 'vitest';
import { queueConformance } from '../src/conformance.ts';
import { memoryDriver } from '../src/index.ts';
import { sideBySide } from './support/side-by-side.ts';

const { capabilities } = memoryDriver();

queueConformance(
  { describe, it },
  async () => {
    const clock = new ManualClock();
    const driver = memoryDriver({ clock });
    return {
      driver,
      pass: ms => clock.advance(ms),
      [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose](),
    };
  },
  { name: 'memory', capabilities },
);

queueConformance(
  sideBySide,
  async () => {
    const driver = memoryDriver({ leaseMs: 2_000 });
    return { driver, [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose]() };
  },
  { name: 'memory in real time', capabilities },
);

it.each([
  ['copies a body, so that whoever has published it may change it', true],
  ['hands on the very bytes that were published, when it may', false],
])('%s', async (_, clone) => {
  await using driver = memoryDriver({ clone });
  await driver.declare('work', 'group');
  const body = Buffer.from('before');
  await driver.publish('work', [{ id: '1', body, headers: {} }]);
  body.set(Buffer.from('change'));
  const options = { prefetch: 1, signal: new AbortController().signal };
  for await (const delivery of driver.consume('work', 'group', options)) {
    expect(delivery.body === body).toBe(!clone);
    expect(Buffer.from(delivery.body).toString()).toBe(clone ? 'before' : 'change');
    break;
  }
});

it('sleeps while a group is paused, also when its limits would let something start', async () => {
  let now = 0;
  let sleeps = 0;
  const waiting: { readonly until: number; wake(): void }[] = [];
  const clock: Clock = {
    now: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        sleeps++;
        signal?.addEventListener('abort', () => reject(signal.reason as Error));
        if (ms > 0) waiting.push({ until: now + ms, wake: resolve });
        else setImmediate(resolve);
      }),
  };
  await using driver = memoryDriver({ clock });
  await driver.declare('work', 'group');
  const message = (id: string) => ({ id, key: 'key', body: new Uint8Array(1), headers: {} });
  await driver.publish('work', [message('a'), message('b')]);
  const limits = { keyRate: { count: 1, perMs: 100 } };
  const stop = new AbortController();
  const deliveries = driver
    .consume('work', 'group', { prefetch: 5, signal: stop.signal, limits })
    [Symbol.asyncIterator]();
  expect((await deliveries.next()).value?.id).toBe('a');
  const next = deliveries.next();
  await driver.pause!('work', 'group');
  now = 200;
  for (const { until, wake } of waiting.splice(0)) if (until <= now) wake();
  for (let turn = 0; turn < 50; turn++) await new Promise(resolve => setImmediate(resolve));
  expect(sleeps).toBeLessThan(10);
  await driver.resume!('work', 'group');
  expect((await next).value?.id).toBe('b');
  stop.abort();
});
