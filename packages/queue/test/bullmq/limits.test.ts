import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { message, Reader, send } from '../../src/conformance/subject.ts';
import type { Delivery } from '../../src/index.ts';
import { BullSite, libraries, soon } from './reports/site.ts';

const ack = (delivery: Delivery) => delivery.ack();

describeWith([{ own: 'redis' }], 'sharing by keys on BullMQ', () => {
  const site = new BullSite();
  const library = libraries['6']!;

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
});
