import { type Bench, figures, median, noiseFloor } from '@workspace/bench';
import { type Driver, memoryDriver } from '../src/index.ts';

const count = 200_000;
const batchSize = 100;
const rounds = 7;
/** 500 000 messages a second. */
const targetUs = 2;

/**
 * Publishes, delivers and acknowledges so many raw messages, in batches; microseconds a message.
 *
 * @param mostWaiting how many wait before the publisher does; without a bound it is ahead by all of them
 */
async function passThrough(driver: Driver, mostWaiting = Infinity): Promise<number> {
  await driver.declare('topic', 'group');
  const body = new Uint8Array(100);
  const stop = new AbortController();
  const before = performance.now();
  let handled = 0;
  let goesOnAt = Infinity;
  let goOn = () => {};
  const consuming = (async () => {
    const options = { prefetch: 1_000, signal: stop.signal };
    for await (const delivery of driver.consume('topic', 'group', options)) {
      void delivery.ack();
      if (++handled === count) stop.abort();
      if (handled === goesOnAt) goOn();
    }
  })();
  for (let n = 0; n < count; n += batchSize) {
    const batch = Array.from({ length: batchSize }, (_, i) => ({ id: `${n + i}`, body, headers: {} }));
    await driver.publish('topic', batch);
    if (n + batchSize - handled <= mostWaiting) continue;
    goesOnAt = n + batchSize - mostWaiting / 2;
    await new Promise<void>(resolve => {
      goOn = resolve;
    });
  }
  await consuming;
  const us = ((performance.now() - before) * 1_000) / count;
  await driver[Symbol.asyncDispose]();
  return us;
}

export const memory: readonly Bench[] = [
  figures('a raw message through the memory driver, in batches of 100', 'µs', async () => {
    const samples: number[][] = [[], [], [], []];
    for (let round = 0; round < rounds + 1; round++) {
      const each = [
        await passThrough(memoryDriver({ clone: false }), 1_000),
        await passThrough(memoryDriver({ clone: false }), 1_000),
        await passThrough(memoryDriver({ clone: false })),
        await passThrough(memoryDriver(), 1_000),
      ];
      if (round > 0) for (const [index, us] of each.entries()) samples[index]!.push(us);
    }
    const [ours, again, ahead, copied] = samples.map(median) as [number, number, number, number];
    return {
      ours: ['clone: false, up to 1 000 waiting', ours],
      peers: {
        target: targetUs,
        [noiseFloor]: again,
        'up to 200 000 waiting': ahead,
        'clone: true': copied,
      },
    };
  }),
];
