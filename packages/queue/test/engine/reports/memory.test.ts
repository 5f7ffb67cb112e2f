import { setImmediate as turn } from 'node:timers/promises';
import { ManualClock } from '@ashlar/core/testing';
import { collectGarbage } from '@workspace/bench';
import { expect, it, onTestFinished } from 'vitest';
import {
  type Deduplication,
  memoryDriver,
  messages,
  type OutgoingMessage,
  Queue,
} from '../../../src/index.ts';

/** What users of queues in memory have reported, tried here. */

type Messages = Record<'work', string>;

function setUp() {
  const clock = new ManualClock();
  const driver = memoryDriver({ clock, clone: false, leaseMs: 1_000 });
  const queue = new Queue(driver, { messages: messages<Messages>(), clock, random: () => 1 });
  onTestFinished(() => queue.close());
  return { clock, driver, queue };
}

const count = 1_000;

/** How many of their bodies are still in memory when all that is made is gone again. */
async function bodiesLeft(
  make: (publish: (more?: Partial<OutgoingMessage>) => Promise<string>) => Promise<void>,
  driver: ReturnType<typeof memoryDriver>,
): Promise<number> {
  const bodies: WeakRef<Uint8Array>[] = [];
  await make(async (more = {}) => {
    const body = new Uint8Array(1_000);
    const id = `${bodies.push(new WeakRef(body))}`;
    expect(await driver.publish('work', [{ id, body, headers: {}, ...more }])).toEqual([{ ok: true }]);
    return id;
  });
  // What was looked at in this turn is not collected
  await turn();
  collectGarbage();
  return bodies.filter(body => body.deref() !== undefined).length;
}

const allowed = count / 4;

it.each([
  ['waits', {}],
  ['is delayed', { delayMs: 3_600_000 }],
  ['has a priority', { priority: 3 }],
] as const)(
  'a canceled message that %s is not kept in memory until its turn (zio/zio 4208, pravega/pravega 6714, embrace-io/embrace-android-sdk 3745)',
  async (_, how) => {
    const { driver } = setUp();
    await driver.declare('work', 'default');
    await driver.pause!('work', 'default');
    const left = await bodiesLeft(async publish => {
      for (let n = 0; n < count; n++) await driver.cancel!('work', 'default', await publish(how));
    }, driver);
    expect(left).toBeLessThan(allowed);
    expect(await driver.stats!('work', 'default')).toMatchObject({ waiting: 0, delayed: 0 });
  },
);

it('a message that another has replaced is not kept in memory until its time (taskforcesh/bullmq 3250, bee-queue/bee-queue 54)', async () => {
  const { driver } = setUp();
  await driver.declare('work', 'default');
  const deduplication: Deduplication = { key: 'k', mode: 'debounce', ttlMs: 3_600_000 };
  const left = await bodiesLeft(async publish => {
    for (let n = 0; n < count; n++) await publish({ deduplication });
  }, driver);
  expect(left).toBeLessThan(allowed);
  expect(await driver.stats!('work', 'default')).toMatchObject({ delayed: 1 });
});

it.each([{ ordered: true }, { fair: true }, { limits: { keyConcurrency: 1 } }, {}])(
  'those that stay keep their order when many between them are taken away %j',
  async how => {
    const { clock, queue } = setUp();
    await queue.declare('work');
    const kept: string[] = [];
    for (let n = 0; n < 2 * count; n++) {
      const { id } = await queue.publish('work', `${n}`, { key: `key ${n % 3}`, id: `${n}` });
      // Of one key all, of the others all but some
      if (n % 3 === 0 || n % 7 !== 0) await queue.cancel('work', id);
      else kept.push(id);
      if (n === 500) await (await queue.subscribe('work', () => {}, { ...how, group: 'other' })).close();
      if (n === 600) {
        await queue.pause('work');
        // Consumers share by keys from now on
        await queue.subscribe('work', text => void seen.push(text), { concurrency: 1, ...how });
      }
    }
    const seen: string[] = [];
    expect(await queue.stats('work')).toMatchObject({ waiting: kept.length });
    await queue.resume('work');
    await clock.advance(1_000);
    for (const key of [1, 2]) {
      const ofKey = (all: readonly string[]) => all.filter(text => Number(text) % 3 === key);
      expect(ofKey(seen)).toEqual(ofKey(kept));
    }
    expect(seen).toHaveLength(kept.length);
    expect(await queue.stats('work')).toEqual({ waiting: 0, delayed: 0, active: 0, dead: 0 });
  },
);

it('a key goes on at once when the message that it waits for is canceled (yigit/android-priority-jobqueue 19)', async () => {
  const { clock, queue } = setUp();
  const seen: string[] = [];
  const fails = (text: string) => {
    seen.push(text);
    if (text === 'fails') throw new Error('for the test');
  };
  const backoff = { firstMs: 3_600_000, maxMs: 3_600_000 };
  await queue.subscribe('work', fails, { ordered: true, backoff });
  const { id } = await queue.publish('work', 'fails', { key: 'k' });
  await queue.publish('work', 'next', { key: 'k' });
  await clock.advance(1_000);
  expect(seen).toEqual(['fails']);
  expect(await queue.cancel('work', id)).toBe(true);
  await clock.advance(1);
  expect(seen).toEqual(['fails', 'next']);
  // And is in order after that time too
  await queue.publish('work', 'fails', { key: 'k' });
  await queue.publish('work', 'waits', { key: 'k' });
  await clock.advance(3_600_000 - 1_000);
  expect(seen).toEqual(['fails', 'next', 'fails']);
});

it('messages of one key go on when one that waits among them is replaced (avifenesh/glide-mq 206)', async () => {
  const { clock, queue } = setUp();
  await queue.declare('work');
  const deduplication: Deduplication = { key: 'd', mode: 'debounce', ttlMs: 10 };
  await queue.publish('work', 'a', { key: 'k' });
  await queue.publish('work', 'old', { key: 'k', deduplication });
  await queue.publish('work', 'b', { key: 'k' });
  await clock.advance(20);
  await queue.publish('work', 'new', { key: 'k', deduplication });
  const seen: string[] = [];
  await queue.subscribe('work', text => void seen.push(text), { ordered: true });
  await clock.advance(20);
  expect(seen).toEqual(['a', 'b', 'new']);
});

it('a delay, a time limit and the time to close may be longer than a timer of Node.js (OptimalBits/bull 244, vercel/workflow 823, stablemates/workhorse 106)', async () => {
  await using queue = new Queue(memoryDriver(), { messages: messages<Messages>() });
  const seen: string[] = [];
  const days = 86_400_000;
  const subscription = await queue.subscribe('work', text => void seen.push(text), { timeoutMs: 30 * days });
  await queue.publish('work', 'in fifty days', { delayMs: 50 * days, id: 'late' });
  await queue.publish('work', 'now', { expiresInMs: 50 * days });
  await expect.poll(() => seen, { timeout: 20_000 }).toEqual(['now']);
  for (let turns = 0; turns < 100; turns++) await turn();
  expect(seen).toEqual(['now']);
  expect(await queue.find('work', 'late')).toMatchObject({ state: 'delayed' });
  await subscription.close({ timeoutMs: 0 });
  for (const timeoutMs of [30 * days, Number.MAX_VALUE]) {
    let end: () => void = () => {};
    let aborted: boolean | undefined;
    const handler = async (_: string, { signal }: { readonly signal: AbortSignal }) => {
      await new Promise<void>(resolve => {
        end = resolve;
        seen.push('begun');
      });
      aborted = signal.aborted;
    };
    const closing = await queue.subscribe('work', handler);
    seen.length = 0;
    await queue.publish('work', 'runs while it closes');
    await expect.poll(() => seen, { timeout: 20_000 }).toEqual(['begun']);
    const closed = closing.close({ timeoutMs });
    for (let turns = 0; turns < 100; turns++) await turn();
    end();
    await closed;
    expect(aborted).toBe(false);
  }
});
