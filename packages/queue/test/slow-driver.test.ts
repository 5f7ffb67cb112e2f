import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { queueConformance } from '../src/conformance.ts';
import { type Delivery, type Driver, type MemoryCapabilities, memoryDriver } from '../src/index.ts';

const { capabilities } = memoryDriver();

/** A memory driver some of whose methods do something else. */
function changedDriver(
  leaseMs: number,
  change: (right: Driver<MemoryCapabilities>) => Partial<Driver>,
): Driver<MemoryCapabilities> {
  const right = memoryDriver({ leaseMs });
  const changed = change(right);
  return new Proxy(right, {
    get(target, name) {
      const value: unknown = Reflect.get(changed, name) ?? Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** The tests of the suite on a driver, by their names. */
function testsOf(makeDriver: () => Driver<MemoryCapabilities>): ReadonlyMap<string, () => Promise<void>> {
  const tests = new Map<string, () => Promise<void>>();
  const collect = (name: string, body: () => Promise<void> | void) => tests.set(name, async () => body());
  queueConformance(
    { describe: (_: string, body: () => void) => body(), it: Object.assign(collect, { skip() {} }) },
    async () => {
      const driver = makeDriver();
      return { driver, [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose]() };
    },
    { name: 'slow', capabilities },
  );
  return tests;
}

/**
 * A driver that does everything right, and takes longer for a publish than the suite takes for its pauses at first, and for
 * one extension of a lease longer than that.
 */
function slowDriver(leaseMs: number): Driver<MemoryCapabilities> {
  let extensions = 0;
  const slowly = (delivery: Delivery) => {
    const extend = delivery.extend.bind(delivery);
    delivery.extend = async (...args) => {
      if (++extensions === 3) await delay(leaseMs + 200);
      return extend(...args);
    };
    return delivery;
  };
  return changedDriver(leaseMs, right => ({
    publish: async (...args) => {
      await delay(400);
      return right.publish(...args);
    },
    async *consume(...args) {
      for await (const delivery of right.consume(...args)) yield slowly(delivery);
    },
  }));
}

/** A driver whose process stands still for longer than a lease, now and then when a message is handed out. */
function haltingDriver(leaseMs: number): Driver<MemoryCapabilities> {
  let given = 0;
  return changedDriver(leaseMs, right => ({
    async *consume(...args) {
      for await (const delivery of right.consume(...args)) {
        const until = performance.now() + (++given % 100 === 0 ? 2 * leaseMs : 0);
        while (performance.now() < until);
        yield delivery;
      }
    },
  }));
}

describe('the suite goes by what comes before what, not by the speed of a driver', () => {
  const tests = testsOf(() => slowDriver(1_000));
  for (const test of [
    'what fails waits for its pause, and holds up no other',
    'a failed message holds up its key, and no other',
    'throttle: the first, and then none for its time',
    'debounce: the last, after its time',
    'an extended lease holds',
  ]) {
    it.concurrent(test, async () => {
      const body = tests.get(test);
      expect(body).toBeDefined();
      await body!();
    });
  }

  it.each([
    'consumers of a group share its messages',
    'one that is slow keeps no more than its places from the others',
  ])('%s, also when some come late', async test => {
    await testsOf(() => haltingDriver(50)).get(test)!();
  });
});
