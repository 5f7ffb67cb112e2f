import { setImmediate as turn } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { Bell } from '../../src/transactions/bell.ts';
import type { PoolLike } from '../../src/transactions/pool.ts';

/** A bell that nobody listens to, and what it has sent. */
function newBell() {
  const sent: string[][] = [];
  const bell = new Bell({
    driver: 'none',
    channel: 'channel',
    restMs: 5,
    pool: {} as PoolLike,
    borrow: () => Promise.reject(new Error('nobody listens')),
    send: async (_, [topics]) => sent.push(JSON.parse(topics!) as string[]),
  });
  onTestFinished(() => bell.close());
  return { bell, sent };
}

it('while hundreds of messages come, fifty milliseconds pass between two notifications', async () => {
  const { bell, sent } = newBell();
  const startedAt = performance.now();
  while (sent.length < 6) {
    bell.ring('topic', 500);
    await turn();
  }
  // Timers may be a millisecond early
  expect(performance.now() - startedAt).toBeGreaterThan(5 * 50 - 10);
});

it('the last notification is for what came after the one before, also when the bell is closed meanwhile', async () => {
  const { bell, sent } = newBell();
  bell.ring('first', 500);
  bell.ring('second');
  bell.ring('third');
  await bell.close();
  expect(sent).toEqual([['first'], ['second', 'third']]);
});
