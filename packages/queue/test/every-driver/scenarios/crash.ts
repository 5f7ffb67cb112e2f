import { within } from '@workspace/services';
import { driverAt, type KindName } from '../../../faults/kinds.ts';
import { Site } from '../../../faults/site.ts';
import { group, message, Reader, times, topic } from '../../../src/conformance/subject.ts';
import type { Delivery, Driver } from '../../../src/index.ts';
import { type Scenario, soonMs, unhurried } from './scenario.ts';

/** So that what nobody settles comes soon. */
const leaseMs = 2_000;
/** Those that have keys of deduplication. */
export const keyedKinds: readonly KindName[] = ['redisStreams', 'bullmq', 'postgres', 'zeromq'];

/** Half of them are settled before the server dies, and of the others it is not answered. */
const settlings: readonly ((delivery: Delivery) => Promise<void>)[] = [
  each => each.ack(),
  each => each.nack({ requeueAfterMs: 10 }),
  each => each.nack({ dead: 'for the test' }),
  async () => {},
];

export const crash: Scenario = {
  title:
    'a server that dies leaves no key of deduplication without its message, and no group that it forgets to be paused (taskforcesh/bullmq 4311)',
  async play({ kind }, { expect, onTestFinished }) {
    // Others use theirs
    const site = await Site.start(kind, leaseMs);
    onTestFinished(() => site[Symbol.asyncDispose]());
    const driver = driverAt(unhurried(site));
    onTestFinished(() => driver[Symbol.asyncDispose]());
    await driver.declare(topic, group);
    const keys = times(16, n => `key ${n}`);
    const publish = () =>
      driver.publish(
        topic,
        keys.map(key => message(key, { deduplication: { key, mode: 'simple' } })),
      );
    await publish();
    const before = new Reader(driver, topic, group, { prefetch: 50 });
    onTestFinished(() => before[Symbol.asyncDispose]());
    expect(await within(soonMs, () => before.received.length === keys.length || undefined)).toBe(true);
    await driver.pause!(topic, group);
    for (const [index, each] of before.received.entries()) {
      const settled = settlings[index % settlings.length]!(each);
      if (index < keys.length / 2)
        await settled.catch(() => {}); // Its lease may be over
      else settled.catch(() => {});
    }
    await site.server.kill();
    await before[Symbol.asyncDispose]();
    await site.server.restart();
    const published = async () => {
      const all = await publish();
      return all.every(({ ok }) => ok) ? all : undefined;
    };
    const again = await within(soonMs, published);
    // Nobody has settled it, so that it holds its key still
    expect(again?.[3]).toEqual({ ok: true, isDuplicate: true });
    expect((await driver.stats!(topic, group)).waiting).toBeGreaterThan(0);
    await driver.resume!(topic, group);
    await using _ = new Draining(driver);
    const isEmpty = async () => {
      const { waiting, delayed, active } = await driver.stats!(topic, group);
      return waiting + delayed! + active! === 0 || undefined;
    };
    expect(await within(soonMs, isEmpty)).toBe(true);
    expect((await publish()).filter(each => !each.ok || each.isDuplicate)).toEqual([]);
  },
};

/** Acknowledges what comes, and begins again when iterating fails, as a queue does. */
class Draining implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #reading: Promise<void>;

  constructor(driver: Driver) {
    this.#reading = this.#drain(driver);
  }

  async #drain(driver: Driver): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        for await (const each of driver.consume(topic, group, { prefetch: 50, signal }))
          each.ack().catch(() => {});
      } catch {
        await new Promise(resolve => setTimeout(resolve, 20));
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#reading;
  }
}
