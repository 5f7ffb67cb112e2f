import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FeedWorld, type Happening, happenings } from '../support/feed-world.ts';

const check: readonly Happening[] = Array(4).fill('check goes on');
const both: readonly Happening[] = ['operations lost', 'subscription lost'];

/** A value is held, then this happens, then checks succeed: the change must be known. */
const orders: readonly (readonly Happening[])[] = [
  ['subscription lost', 'change', 'subscription back'],
  ['operations lost', 'change', 'message', 'operations back'],
  [...both, 'change', 'operations back', 'subscription back'],
  [...both, 'change', 'subscription back', 'operations back'],
  // the check asks before the subscription is back, and gives up waiting for it
  [
    ...both,
    'change',
    'operations back',
    'check goes on',
    'check goes on',
    'check goes on',
    'check fails',
    'subscription back',
  ],
  [...both, 'operations back', ...check, 'check fails', 'change', 'subscription back'],
  [...both, 'emptied', 'change', 'operations back', ...check, 'check fails', 'subscription back'],
  [
    'subscription lost',
    'change',
    ...check,
    'check fails',
    'check goes on',
    'check fails',
    'subscription back',
  ],
  // something is lost again in the middle of the check
  [...both, 'change', 'operations back', ...check, 'operations lost', 'subscription back', 'operations back'],
  [
    'subscription lost',
    'change',
    'subscription back',
    'check goes on',
    'check goes on',
    'subscription lost',
    'subscription back',
  ],
  // another history is noticed by a message in the middle of the check
  [...both, 'change', 'operations back', 'subscription back', ...check, 'emptied', 'change', 'message'],
  ['emptied', 'change', 'message'],
  ['check goes on', 'change', 'check goes on', 'message'],
  ['check goes on', 'check goes on', 'change', 'check fails'],
];

async function holding(): Promise<FeedWorld> {
  const world = new FeedWorld();
  while (!world.connected) await world.happens('check goes on');
  await world.happens('read');
  return world;
}

describe('what a session may serve', () => {
  it.each(orders.map(order => [order.join(', '), order] as const))(
    'is never older than its bound after: %s',
    async (_, order) => {
      const world = await holding();
      for (const what of order) await world.happens(what);
      world.pass(30);
      expect(world.behind).toBe(0);
      for (let i = 0; i < 12; i++) {
        await world.happens('check goes on');
        expect(world.behind).toBe(0);
      }
      expect(world.connected).toBe(true);
    },
  );

  it('is never older than its bound in any order', async () => {
    const one = fc.oneof(
      fc.constantFrom(...happenings),
      fc.constantFrom<Happening>('check goes on', 'message', 'change', 'read'),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(one, { minLength: 10, maxLength: 60 }), async order => {
        const world = await holding();
        for (const what of order) {
          await world.happens(what);
          if (world.behind > 0) return false;
        }
        for (const what of ['operations back', 'subscription back'] as const) await world.happens(what);
        for (let i = 0; i < 12; i++) await world.happens('check goes on');
        return world.connected && world.behind === 0;
      }),
      { numRuns: Number(process.env['RACE_RUNS'] ?? 1_000), seed: 48 },
    );
  });
});
