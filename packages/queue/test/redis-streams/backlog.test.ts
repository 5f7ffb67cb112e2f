import { describeWith } from '@workspace/services/vitest';
import { expect, it } from 'vitest';
import { trimScript } from '../../src/adapters/redis-streams/scripts/fetch.ts';
import { ackScript } from '../../src/adapters/redis-streams/scripts/settle.ts';
import { claimScript } from '../../src/adapters/redis-streams/scripts/sharing/claim.ts';
import { type Sharing, sharingText } from '../../src/adapters/redis-streams/sharing.ts';
import type { Driver, OutgoingMessage } from '../../src/index.ts';
import { ack, group, message, read, StreamsSite, soon, topic } from './site.ts';

const fair: Sharing = { fair: true };
/** How many of each stream a claim files. */
const filed = 250;
/** More than a few claims file. */
const many = 1_500;

type Raw = [dueInMs: number, found: [isRetry: number, count: number, entry: [string, string[]]][]];

const named = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => `a-${from + n}`);
const plain = (text: string, key: string): OutgoingMessage => message(text, { key });
/** One that each group has among its retries. */
const once = (text: string, key: string): OutgoingMessage =>
  message(text, { key, deduplication: { mode: 'simple', key: text } });

describeWith([{ own: 'redis' }], 'a backlog of a key on Redis Streams', () => {
  const site = new StreamsSite();

  /** A backlog of `a`, and claims of one message each, so that what they file can be looked at between them. */
  async function begin({ count = many, make = plain } = {}) {
    const { driver, prefix } = site.open();
    const base = `{${prefix}:${topic}}:`;
    const run = (source: string, ...args: (string | number)[]) =>
      site.admin.call('EVAL', [source, '1', `${base}s`, ...args.map(String)]);
    const publish = (key: string, ...texts: string[]) =>
      driver.publish(
        topic,
        texts.map(text => make(text, key)),
      );
    await driver.declare(topic, group);
    const batch = named(0, count).map(text => make(text, 'a'));
    await driver.publish(topic, batch);
    let last: readonly [isRetry: number, entry: string];
    return {
      driver,
      base,
      prefix,
      batch,
      run,
      publish,
      async claim(sharing: Sharing = fair): Promise<string | undefined> {
        const args = [group, 'consumer', 1, 30_000, 0, 0, 0, sharingText(sharing)];
        const [, [found]] = (await run(claimScript.source, ...args)) as Raw;
        if (found === undefined) return undefined;
        const [isRetry, , [entry, [name]]] = found;
        last = [isRetry, entry];
        return /^:(.*)-\d+$/.exec(name!)![1];
      },
      /** The last that was claimed. */
      async ack(): Promise<void> {
        await run(ackScript.source, group, 'consumer', 1, 1, 1 - last[0], JSON.stringify([last[1]]));
      },
      left: async () => Number(await site.admin.hget(`${base}behind:${group}`, 'left')),
    };
  }

  const waiting = async (driver: Driver) => (await driver.stats!(topic, group)).waiting;

  it('is filed beside what comes meanwhile, which has its turn, and is behind the backlog of its own key', async () => {
    const { driver, prefix, claim, left, publish } = await begin();
    expect(await claim()).toBe('a-0');
    expect(await left()).toBe(many - filed);
    await publish('a', 'late');
    await publish('b', 'b-1', 'b-2');
    const next = [await claim(), await claim(), await claim(), await claim()];
    expect(next).toEqual(['a-1', 'b-1', 'a-2', 'b-2']);
    expect(await left()).toBeGreaterThan(0);
    expect(await driver.stats!(topic, group)).toMatchObject({ waiting: many + 3 - 5, active: 5 });
    let n = 3;
    while ((await left()) > 0) expect(await claim()).toBe(`a-${n++}`);
    expect(await waiting(driver)).toBe(many + 1 - n);
    await publish('a', 'later');
    const reader = read(driver, group, ack, fair);
    await reader.has(many + 2 - n);
    expect(reader.texts()).toEqual([...named(n, many), 'late', 'later']);
    await reader.end();
    const names = await site.keysOf(prefix);
    expect(names.filter(name => /^(behind|late|n|l):/.test(name))).toEqual([]);
  });

  it('stays in the stream, and counts as waiting, until it is filed', async () => {
    const { driver, base, batch, run, claim } = await begin();
    await claim();
    expect(await driver.stats!(topic, group)).toMatchObject({ waiting: many - 1, active: 1 });
    for (const n of [100, 700]) {
      const found = await driver.find!(topic, group, batch[n]!.id);
      expect(found).toMatchObject({ state: 'waiting', deliveries: 0 });
    }
    const stream = `${base}s`;
    const held = (await site.admin.xpending(stream, group, '-', '+', many)) as [string][];
    await site.admin.xack(stream, group, ...held.map(([entry]) => entry));
    await run(trimScript.source, 1);
    expect(await site.admin.xlen(stream)).toBe(many - filed);
    expect(await waiting(driver)).toBe(many - filed);
  });

  it('is paused with its group, and what is canceled of it is passed over', async () => {
    const { driver, batch, claim, left } = await begin();
    await claim();
    expect(await driver.cancel!(topic, group, batch[700]!.id)).toBe(true);
    expect(await driver.find!(topic, group, batch[700]!.id)).toBeUndefined();
    expect(await waiting(driver)).toBe(many - 2);
    await driver.pause!(topic, group);
    expect(await claim()).toBeUndefined();
    expect(await left()).toBe(many - filed);
    await driver.resume!(topic, group);
    const reader = read(driver, group, ack, fair);
    await reader.has(many - 2);
    expect(reader.texts()).toEqual(named(1, many).filter(text => text !== 'a-700'));
    await soon(async () => expect(await waiting(driver)).toBe(0));
  });

  it('is taken by consumers that do not share by keys', async () => {
    const count = 700;
    const { driver, claim, publish } = await begin({ count });
    expect(await claim()).toBe('a-0');
    await publish('b', 'b-1');
    expect(await claim()).toBe('a-1');
    await publish('c', 'c-1');
    const reader = read(driver, group, ack);
    await reader.has(count);
    expect(reader.texts().sort()).toEqual([...named(2, count), 'b-1', 'c-1'].sort());
    expect(reader.received.every(({ deliveries }) => deliveries === 1)).toBe(true);
    await reader.end();
    expect(await driver.stats!(topic, group)).toEqual({ waiting: 0, delayed: 0, active: 2, dead: 0 });
  });

  it('comes in order when those that keep it find it left behind', async () => {
    const count = 700;
    const { driver, claim, ack: settle, publish } = await begin({ count });
    await claim();
    await settle();
    await publish('a', 'last');
    const reader = read(driver, group, ack, { ordered: true });
    await reader.has(count);
    expect(reader.texts()).toEqual([...named(1, count), 'last']);
  });

  it('is one also of what is deduplicated', async () => {
    const { driver, base, claim, publish } = await begin({ make: once });
    const isLeft = () => site.admin.hexists(`${base}behind:${group}`, 'rend');
    expect(await claim()).toBe('a-0');
    await publish('b', 'b-1');
    expect([await claim(), await claim()]).toEqual(['a-1', 'b-1']);
    expect(await isLeft()).toBe(1);
    expect(await driver.stats!(topic, group)).toMatchObject({ waiting: many - 2, active: 3 });
    const reader = read(driver, group, ack, fair);
    await reader.has(many - 2);
    expect(reader.texts()).toEqual(named(2, many));
    expect(await isLeft()).toBe(0);
  });

  it('of a group that was deleted is not of the next with its name', async () => {
    const { driver, base, claim, publish } = await begin();
    await claim();
    await publish('b', 'b-1');
    await claim();
    await site.admin.xgroup('DESTROY', `${base}s`, group);
    await driver.declare(topic, group);
    await publish('b', 'b-2');
    await publish('a', 'last');
    const reader = read(driver, group, ack, fair);
    await reader.has(2);
    expect(reader.texts().sort()).toEqual(['b-2', 'last']);
    expect(await waiting(driver)).toBe(0);
  });
});
