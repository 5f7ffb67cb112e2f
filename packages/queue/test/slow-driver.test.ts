import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { queueConformance } from '../src/conformance.ts';
import { type Delivery, type Driver, type MemoryCapabilities, memoryDriver } from '../src/index.ts';

const { capabilities } = memoryDriver();

/**
 * A driver that does everything right, and takes longer for a publish than the suite takes for its pauses at first, and for
 * one extension of a lease longer than that.
 */
function slowDriver(leaseMs: number): Driver<MemoryCapabilities> {
  const right = memoryDriver({ leaseMs });
  let extensions = 0;
  const slowly = (delivery: Delivery) => {
    const extend = delivery.extend.bind(delivery);
    delivery.extend = async (...args) => {
      if (++extensions === 3) await delay(leaseMs + 200);
      return extend(...args);
    };
    return delivery;
  };
  const changed: Partial<Driver> = {
    publish: async (...args) => {
      await delay(400);
      return right.publish(...args);
    },
    async *consume(...args) {
      for await (const delivery of right.consume(...args)) yield slowly(delivery);
    },
  };
  return new Proxy(right, {
    get(target, name) {
      const value: unknown = Reflect.get(changed, name) ?? Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

describe('the suite goes by what comes before what, not by the speed of a driver', () => {
  const tests = new Map<string, () => Promise<void> | void>();
  const collect = (name: string, body: () => Promise<void> | void) => tests.set(name, body);
  queueConformance(
    { describe: (_: string, body: () => void) => body(), it: Object.assign(collect, { skip() {} }) },
    async () => {
      const driver = slowDriver(1_000);
      return { driver, [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose]() };
    },
    { name: 'slow', capabilities },
  );
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
});
