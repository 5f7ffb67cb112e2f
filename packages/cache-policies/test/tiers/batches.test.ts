import { describe, expect, it } from 'vitest';
import { memoryTier, type TierSession } from '../../src/index.ts';
import { Batches, type BatchLimits } from '../../src/tiers/batches/batches.ts';
import { SessionBatches } from '../../src/tiers/batches/session-batches.ts';
import { type Deferred, deferred, settle } from '../support/caches.ts';

/** Batches of numbers, answered by hand with their tenfold. */
function numbers(limits: Partial<BatchLimits<number>> = {}) {
  const sent: { readonly items: readonly number[]; readonly answer: Deferred<readonly number[]> }[] = [];
  const send = (items: readonly number[]) => {
    const answer = deferred<readonly number[]>();
    sent.push({ items, answer });
    return answer.promise;
  };
  const usual = { most: 3, mostBytes: 100, atOnce: 2, bytesOf: () => 1, fits: () => true };
  const batches = new Batches<number, number>(send, { ...usual, ...limits });
  const addAll = (...items: readonly number[]) => items.map(item => batches.add(item));
  const answer = (batch: number) => {
    const { items, answer: answering } = sent[batch]!;
    answering.resolve(items.map(item => 10 * item));
    return settle();
  };
  return { addAll, answer, sent, asked: () => sent.map(({ items }) => items.join()) };
}

describe('the batches of a session', () => {
  it('are at most four of a kind at once, of at most 500 keys', async () => {
    const tier = memoryTier();
    const session = tier.open({ invalidated: () => {}, reset: () => {}, connection: () => {} });
    const asked: { readonly keys: readonly string[]; readonly go: () => void }[] = [];
    const held: TierSession = Object.create(session, {
      read: {
        value: async (...args: Parameters<TierSession['read']>) => {
          await new Promise<void>(go => asked.push({ keys: args[0], go }));
          return session.read(...args);
        },
      },
    });
    const batches = new SessionBatches(held, () => {});
    const options = { leaseMs: 0, minFreshMs: 0 };
    const reads = Promise.all(Array.from({ length: 2_750 }, (_, i) => batches.read(`${i}`, options)));
    await settle();
    expect(asked.map(({ keys }) => keys.length)).toEqual([500, 500, 500, 500]);
    for (let answered = 0; answered < 6; answered++) {
      expect(asked).toHaveLength(Math.min(4 + answered, 6));
      asked[answered]!.go();
      await settle();
    }
    expect(await reads).toHaveLength(2_750);
    expect(asked.map(({ keys }) => keys.length)).toEqual([500, 500, 500, 500, 500, 250]);
    await session.close();
  });
});

describe('batches', () => {
  it('send what is added in one step together, and what comes meanwhile with the next', async () => {
    const { addAll, answer, asked } = numbers();
    const results = addAll(1, 2);
    await settle();
    results.push(...addAll(3));
    await settle();
    results.push(...addAll(4));
    await settle();
    results.push(...addAll(5, 6, 7));
    await settle();
    expect(asked()).toEqual(['1,2', '3']);
    await answer(1);
    expect(asked()).toEqual(['1,2', '3', '4,5,6']);
    for (const batch of [0, 2, 3]) await answer(batch);
    expect(await Promise.all(results)).toEqual([10, 20, 30, 40, 50, 60, 70]);
  });

  it('are bounded in bytes, but for one item, and hold only what fits the first', async () => {
    const large = numbers({ atOnce: 9, mostBytes: 10, bytesOf: item => item });
    large.addAll(4, 6, 1, 50, 2);
    await settle();
    expect(large.asked()).toEqual(['4,6', '1', '50', '2']);
    const alike = numbers({ atOnce: 9, fits: (first, item) => first % 2 === item % 2 });
    alike.addAll(1, 3, 2, 5);
    await settle();
    expect(alike.asked()).toEqual(['1,3', '2', '5']);
  });

  it('fail with what waits behind them, and go on', async () => {
    const { addAll, answer, sent, asked } = numbers({ atOnce: 1 });
    const results = addAll(1, 2, 3, 4, 5);
    await settle();
    sent[0]!.answer.reject(new Error('down'));
    for (const result of results) await expect(result).rejects.toThrow('down');
    const [next] = addAll(6);
    await settle();
    await answer(1);
    expect(await next).toBe(60);
    expect(asked()).toEqual(['1,2,3', '6']);
  });
});
