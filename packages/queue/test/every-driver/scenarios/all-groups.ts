import { Peer } from '@workspace/faults';
import { within } from '@workspace/services';
import { type Address, driverAt } from '../../../faults/kinds.ts';
import type { ProducerMessage } from '../../../faults/producer-process.ts';
import { message, Reader, times } from '../../../src/conformance/subject.ts';
import type { Driver, OutgoingMessage, Published } from '../../../src/index.ts';
import { Way } from '../../support/way.ts';
import { type Scenario, soonMs, unhurried } from './scenario.ts';

const topic = 'work';
const groups = ['first', 'second', 'third'];
/** At how many bytes of a publish, evenly spread, its process ends, besides the ends of what it writes at once. */
const evenly = 12;
/** Processes that are really killed. */
const kills = 2;

/** What was published before its process ended, and what was said of it. */
interface Trace {
  readonly batch: readonly OutgoingMessage[];
  readonly published: Promise<readonly Published[]>;
  /** Whether it was published again with the same ids. */
  readonly isCompleted: boolean;
}

export const allGroups: Scenario = {
  title: 'a publisher that is killed at any byte of its publish leaves each message in all groups or in none',
  async play(site, { expect, onTestFinished }) {
    const address = { ...unhurried(site), port: site.server.port };
    const driver = driverAt(address);
    onTestFinished(() => driver[Symbol.asyncDispose]());
    for (const group of groups) await driver.declare(topic, group);
    for (let kill = 1; kill <= kills; kill++) await killOne(address, kill);
    const traces: Trace[] = [];
    for (const bytes of await points(address)) {
      for (const isCompleted of [false, true]) {
        const trace = { ...(await endAfter(address, bytes)), isCompleted };
        traces.push(trace);
        if (isCompleted) expect((await driver.publish(topic, trace.batch)).every(({ ok }) => ok)).toBe(true);
      }
    }
    const readers = groups.map(
      group => new Reader(driver, topic, group, { prefetch: 50, each: each => each.ack() }),
    );
    onTestFinished(async () => {
      await Promise.all(readers.map(reader => reader[Symbol.asyncDispose]()));
    });
    const last = message('the last');
    expect(await driver.publish(topic, [last])).toMatchObject([{ ok: true }]);
    const counts = () => readers.map(({ received }) => countsOf(received.map(({ id }) => id)));
    const isDrained = async () => {
      if (counts().some(count => !count.has(last.id))) return undefined;
      const stats = await Promise.all(groups.map(group => driver.stats!(topic, group)));
      return stats.every(({ waiting }) => waiting === 0) && new Set(counts().map(text)).size === 1
        ? true
        : undefined;
    };
    await within(soonMs, isDrained);
    const [inFirst, inSecond, inThird] = counts();
    expect(inSecond).toEqual(inFirst);
    expect(inThird).toEqual(inFirst);
    const { uniqueIds } = driver.capabilities;
    const left = new Set<boolean>();
    for (const { batch, published, isCompleted } of traces) {
      for (const [index, result] of (await published).entries()) {
        const count = inFirst!.get(batch[index]!.id) ?? 0;
        if (isCompleted || result.ok) expect(count).toBeGreaterThan(0);
        else if (result.outcome === 'NotExecuted') expect(count).toBe(0);
        if (!isCompleted || uniqueIds) expect(count).toBeLessThanOrEqual(1);
        if (!isCompleted) left.add(count > 0);
      }
    }
    // Else no publish has ended in its middle
    expect(left).toEqual(new Set([false, true]));
  },
};

let made = 0;
/** As much as a driver writes in different ways, in as many bytes each time. */
function batchOf(driver: Driver): OutgoingMessage[] {
  const { orderedKeys, deduplication } = driver.capabilities;
  const next = (more: Partial<OutgoingMessage> = {}) =>
    message('text', { id: `id-${String(++made).padStart(6, '0')}`, ...more });
  const batch = times(3, () => next());
  if (orderedKeys) batch.push(next({ key: 'a key' }));
  const key = `of ${batch[0]!.id}`;
  if (deduplication) batch.push(next({ deduplication: { key, mode: 'simple' } }));
  return batch;
}

/** After how many bytes of a publish its process ends: at each piece that it writes, and in between. */
async function points(address: Address): Promise<readonly number[]> {
  await using way = await Way.to(address.port);
  await using driver = driverAt({ ...address, port: way.port });
  await driver.declare(topic, groups[0]!);
  const before = way.said;
  await driver.publish(topic, batchOf(driver));
  const total = way.said - before;
  const pieces = way.pieces.map(said => said - before).filter(bytes => bytes > 0);
  const others = times(evenly + 1, n => Math.floor((n * total) / evenly));
  // Its answer comes too
  others.push(2 * total);
  return [...new Set([...pieces.slice(0, evenly), ...others])].sort((a, b) => a - b);
}

/** A publish of which the server hears so many bytes, and then that its process has ended. */
async function endAfter(address: Address, bytes: number): Promise<Omit<Trace, 'isCompleted'>> {
  const way = await Way.to(address.port);
  const driver = driverAt({ ...address, port: way.port });
  await driver.declare(topic, groups[0]!);
  const batch = batchOf(driver);
  way.dieAfter(bytes);
  const published = driver.publish(topic, batch);
  let isAnswered = false;
  const answered = published.then(() => {
    isAnswered = true;
  });
  await within(soonMs, () => way.isDead || isAnswered || undefined);
  await way.die();
  const ended = answered.then(() => driver[Symbol.asyncDispose]());
  return { batch, published: ended.then(() => published) };
}

/** A process that publishes batch after batch is killed when it has confirmed so many. */
async function killOne(address: Address, batches: number): Promise<void> {
  const settings = { address, from: 0 };
  const peer = new Peer<ProducerMessage>(
    new URL('../../../faults/producer-process.ts', import.meta.url),
    settings,
  );
  try {
    for (let confirmed = 0; confirmed < batches; ) if ((await peer.next()).kind === 'confirmed') confirmed++;
  } finally {
    await peer.end();
  }
}

function countsOf(ids: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const id of ids.toSorted()) counts.set(id, (counts.get(id) ?? 0) + 1);
  return counts;
}

function text(counts: ReadonlyMap<string, number>): string {
  return JSON.stringify([...counts]);
}
