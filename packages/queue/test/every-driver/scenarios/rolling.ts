import { setTimeout as delay } from 'node:timers/promises';
import { within } from '@workspace/services';
import { driverAt, queueAt, queueOver } from '../../../faults/kinds.ts';
import { type Scenario, soonMs, unhurried } from './scenario.ts';

const count = 300;
const keys = 5;

/** One worker takes the place of another, again and again, as in a deployment. */
export const rolling: Scenario = {
  title: 'workers that replace each other among their messages repeat none, and keep the order of keys',
  async play(site, { expect, onTestFinished }) {
    const address = unhurried(site);
    const driver = driverAt(address);
    const { orderedKeys, limits } = driver.capabilities;
    const publisher = queueOver(driver);
    onTestFinished(() => publisher.close({ timeoutMs: 0 }));
    await publisher.declare('work');
    const seen: number[] = [];
    const attempts = new Set<number>();
    const options = {
      concurrency: 4,
      ...(orderedKeys && { ordered: true }),
      // More than there are
      ...(limits && { limits: { rate: { count: 10 * count, perMs: 1_000 }, keyConcurrency: 2 } }),
    };
    const hire = async () => {
      const worker = queueAt(address);
      onTestFinished(() => worker.close({ timeoutMs: 0 }));
      await worker.subscribe(
        'work',
        async ({ n }, { attempt }) => {
          attempts.add(attempt);
          await delay(2);
          seen.push(n);
        },
        options,
      );
      return worker;
    };
    const publishing = (async () => {
      for (let n = 0; n < count; n++) await publisher.publish('work', { n }, { key: `key ${n % keys}` });
    })();
    let worker = await hire();
    for (let round = 1; round < 8; round++) {
      const enough = (round * count) / 10;
      expect(await within(soonMs, () => seen.length >= enough || undefined), `round ${round}`).toBe(true);
      const next = await hire();
      await worker.close();
      worker = next;
    }
    await publishing;
    expect(await within(soonMs, () => seen.length >= count || undefined)).toBe(true);
    await worker.close();
    expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, n) => n));
    // A quorum queue counts what it has just sent to a consumer that closes
    if (site.kind !== 'rabbitmq') expect([...attempts]).toEqual([1]);
    if (!orderedKeys) return;
    for (let key = 0; key < keys; key++) {
      const own = seen.filter(n => n % keys === key);
      expect(own).toEqual(own.toSorted((a, b) => a - b));
    }
  },
};
