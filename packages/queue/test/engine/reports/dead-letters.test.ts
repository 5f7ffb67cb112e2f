import { expect, it, onTestFinished } from 'vitest';
import { type DeadLetterPage, memoryDriver, messages, Queue, QueueTimeoutError } from '../../../src/index.ts';
import { withMethods } from '../../support/with-methods.ts';

/** What users of other queues have reported of dead letters, tried here. */

async function setUp(count: number) {
  const queue = new Queue(memoryDriver(), { messages: messages<{ work: number }>() });
  onTestFinished(() => queue.close());
  const fails = () => {
    throw new Error('for the test');
  };
  const ids = Array.from({ length: count }, (_, n) => `${n}`);
  await queue.subscribe('work', fails, { attempts: 1, concurrency: 1 });
  await queue.publishMany('work', ids.map(Number), n => ({ id: `${n}` }));
  const dead = queue.dead('work');
  await expect.poll(() => dead.count(), { timeout: 20_000 }).toBe(count);
  return { queue, dead, ids };
}

/** Those that are listed, and done something with. More than there may be ends it. */
async function listed(
  dead: ReturnType<Queue<{ work: number }>['dead']>,
  most: number,
  each: (id: string) => Promise<unknown>,
): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of dead) {
    if (ids.push(id) > most) break;
    await each(id);
  }
  return ids;
}

it('dead letters that are sent again while they are listed, and die again, are listed once (sidekiq/sidekiq 6481, sidekiq/sidekiq 3436)', async () => {
  const { queue, dead, ids } = await setUp(250);
  const found = await listed(dead, 1_000, async id => {
    expect(await dead.redrive({ ids: [id] })).toBe(1);
    await expect.poll(() => queue.find('work', id), { timeout: 20_000 }).toMatchObject({ state: 'dead' });
  });
  expect(found).toEqual(ids);
});

it('a dead letter that is deleted while others are listed brings none of these twice, and hides none (hibiken/asynq 885)', async () => {
  const { dead, ids } = await setUp(350);
  const found = await listed(dead, 1_000, async id => {
    // The last of the first page and of the second, and then some of those that are listed
    if (id === '9' || id === '108') await dead.purge({ ids: [id] });
    if (id === '250') await dead.purge({ ids: ['7', '199', '250'] });
  });
  expect(found).toEqual(ids);
});

it.each([
  ['all are large', () => 3_000_000],
  ['some are large', (n: number) => (n >= 30 && n < 50 ? 3_000_000 : 10)],
])(
  'dead letters are listed in pages that can be answered in time: %s (Parallels/rq-dashboard 396, HangfireIO/Hangfire 1742)',
  async (_, bytesOf) => {
    const count = 60;
    const most = 20_000_000;
    const memory = memoryDriver({ clone: false });
    const asked: number[] = [];
    // A server that sends so much in the time of a call, and no more
    const inspect = async (topic: string, group: string, page: DeadLetterPage) => {
      asked.push(page.limit);
      const letters = await memory.inspect!(topic, group, page);
      if (letters.reduce((sum, { body }) => sum + body.byteLength, 0) > most) {
        throw new QueueTimeoutError('a page', 5_000);
      }
      return letters;
    };
    await using queue = new Queue(withMethods(memory, { inspect }), {
      messages: messages<{ work: Uint8Array }>(),
    });
    const fails = () => {
      throw new Error('for the test');
    };
    await queue.subscribe('work', fails, { attempts: 1 });
    const ids = Array.from({ length: count }, (_, n) => `${n}`);
    const bodies = ids.map(id => new Uint8Array(bytesOf(Number(id))));
    await queue.publishMany('work', bodies, (_, n) => ({ id: `${n}` }));
    const dead = queue.dead('work');
    await expect.poll(() => dead.count(), { timeout: 20_000 }).toBe(count);
    expect((await listed(dead, 1_000, async () => {})).sort()).toEqual(ids.sort());
    expect(asked.length).toBeLessThan(2 * count);
  },
);
