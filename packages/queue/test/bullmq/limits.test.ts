import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { claimScript } from '../../src/adapters/bullmq/scripts/claim.ts';
import { message, Reader, send } from '../../src/conformance/subject.ts';
import type { Delivery, Driver } from '../../src/index.ts';
import { BullSite, libraries, soon } from './reports/site.ts';

const ack = (delivery: Delivery) => delivery.ack();
/** In batches that a busy machine publishes in time. */
async function backlogOfA(driver: Driver, topic: string, count: number): Promise<void> {
  for (let n = 0; n < count; n += 250) {
    const batch = Array.from({ length: Math.min(250, count - n) }, (_, at) => `a-${n + at}`);
    await send(driver, topic, ...batch.map(id => ({ ...message(id, { key: 'a' }), id })));
  }
}

const hourly = { count: 1, perMs: 3_600_000 };

describeWith([{ own: 'redis' }], 'sharing by keys on BullMQ', () => {
  const site = new BullSite();
  const library = libraries['6']!;

  /** How often the server was asked to wait. */
  const waits = async () => {
    const stats = await site.admin.info('commandstats');
    return Number(/cmdstat_bzpopmin:calls=(\d+)/.exec(stats)?.[1] ?? 0);
  };

  /** The commands that the server executes from now on, as words. */
  const executed = async () => {
    const redis = new Redis(site.server.port);
    const monitor = await redis.monitor();
    onTestFinished(() => {
      monitor.disconnect();
      redis.disconnect();
    });
    const commands: string[][] = [];
    monitor.on('monitor', (_: string, words: string[]) => commands.push(words));
    return commands;
  };

  it('what waits for its rate starts then, also when the answer that says so comes later', async () => {
    const { name, driver, read } = await site.begin(library);
    await send(driver, name, ...Array.from({ length: 12 }, (_, n) => message(`${n}`, { key: 'a' })));
    const commands = await executed();
    site.delay(20);
    const reader = read({ prefetch: 12, limits: { keyRate: { count: 1, perMs: 50 } } });
    await soon(async () => expect(reader.received.length).toBe(12));
    const isStart = ([command, key]: string[]) => command === 'SET' && key!.endsWith(':rate:ka');
    await soon(async () => expect(commands.filter(isStart).length).toBe(12));
    const before = commands.slice(0, commands.findLastIndex(isStart));
    const waits = before.filter(([command]) => command === 'BZPOPMIN').map(words => Number(words.at(-1)));
    expect(Math.max(0, ...waits)).toBeLessThanOrEqual(0.05);
  });

  it('no more start than the rate of a key and that of all allow, by the clock of the server', async () => {
    const { name, driver, open } = await site.begin(library);
    const key = { count: 5, perMs: 100 };
    const all = { count: 6, perMs: 60 };
    const commands = await executed();
    const batch = Array.from({ length: 60 }, (_, n) => message(`${n}`, { key: n % 2 === 0 ? 'a' : 'b' }));
    await send(driver, name, ...batch);
    const how = { each: ack, limits: { rate: all, keyRate: key } };
    await using one = new Reader(driver, name, 'default', how);
    await using two = new Reader(open(), name, 'default', how);
    await soon(async () => expect(one.received.length + two.received.length).toBe(60));
    const startsOf = (bucket: RegExp) =>
      commands
        .filter(([command, name]) => command === 'SET' && bucket.test(name!))
        // A bucket is kept until a millisecond after it is full
        .map(([, , fullAt, , keptMs]) => Number(fullAt) + 1 - Number(keptMs));
    await soon(async () => expect(startsOf(/:rate$/).length).toBe(60));
    const limits = [
      [/:rate$/, all],
      [/:rate:ka$/, key],
      [/:rate:kb$/, key],
    ] as const;
    for (const [bucket, { count, perMs }] of limits) {
      const starts = startsOf(bucket);
      for (const [last, at] of starts.entries()) {
        for (const [first, from] of starts.slice(0, last).entries()) {
          // Times are whole milliseconds here
          const most = count + ((at - from + 2) * count) / perMs;
          expect(last - first + 1, `${bucket} from ${from} to ${at}`).toBeLessThanOrEqual(most);
        }
      }
    }
  });

  it('a backlog is sorted also while none of it may start', async () => {
    const { name, driver, read } = await site.begin(library);
    await backlogOfA(driver, name, 1_500);
    await send(driver, name, message('other', { key: 'b' }));
    const before = await waits();
    const reader = read({ prefetch: 10, each: ack, limits: { keyRate: hourly } });
    await reader.has({ driver } as never, 2);
    expect(reader.texts).toEqual(['a-0', 'other']);
    expect((await waits()) - before).toBeLessThan(3);
  });

  it('a backlog is sorted while all places are taken, so that another has its turn next', async () => {
    const { name, driver, key, read } = await site.begin(library);
    await backlogOfA(driver, name, 1_500);
    await send(driver, name, message('other', { key: 'b' }));
    const reader = read({ prefetch: 1, fair: true });
    await reader.has({ driver } as never, 1);
    await soon(async () => expect(await site.admin.llen(key('wait'))).toBe(0));
    // One of `a` may already have its turn
    for (let n = 0; n < 2; n++) {
      await reader.received[n]!.ack();
      await reader.has({ driver } as never, n + 2);
    }
    expect(reader.texts).toContain('other');
    expect(await driver.stats!(name, 'default')).toMatchObject({ waiting: 1_498, active: 1 });
  });

  it('what comes while a backlog is sorted has its turn before that is done, and is behind the backlog of its own key', async () => {
    const { name, driver, key } = await site.begin(library);
    const named = (id: string, of: string) => ({ ...message(id, { key: of }), id });
    await backlogOfA(driver, name, 1_200);
    const own = `own-${name}`;
    const claim = async () => {
      const now = Date.now();
      const sharing = [0, 1, 0, 0, 0, 0, 0];
      const args = [own, key(''), now, 30_000, 'token', ...sharing, new Date(now).toISOString(), 1];
      return (
        (await site.admin.call('EVAL', [claimScript.source, '1', ...args.map(String)])) as [unknown, string]
      )[1];
    };
    expect(await claim()).toBe('a-0');
    await send(driver, name, named('late', 'a'), named('b-1', 'b'), named('b-2', 'b'));
    expect([await claim(), await claim()]).toEqual(['a-1', 'b-1']);
    expect(await site.admin.llen(key('wait'))).toBeGreaterThan(400);
    expect([await claim(), await claim(), await claim()]).toEqual(['a-2', 'b-2', 'a-3']);
    expect(await site.admin.llen(key('wait'))).toBe(0);
    const lane = Array.from({ length: 1_196 }, (_, n) => `a-${n + 4}`);
    expect(await site.admin.zrange(`${own}:lane:1:ka`, '0', '-1')).toEqual([...lane, 'late']);
    expect(await site.admin.exists(`${own}:behind:1`)).toBe(0);
  });
});
