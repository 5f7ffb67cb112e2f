import { seededRandom } from '@ashlar/core';
import { runFault } from '@workspace/faults';
import { describeWith } from '@workspace/services/vitest';
import { expect, it } from 'vitest';
import { report, Tally } from '../../faults/fault.ts';
import { faultsWith } from '../../faults/faults.ts';
import { holderOf } from '../../faults/holder.ts';
import { Tenures } from '../../faults/outages/tenures.ts';
import { Traffic } from '../../faults/outages/traffic.ts';
import { memoryStore, type Store } from '../../src/index.ts';
import { ending, intercepted } from '../support/stores.ts';

/** The long version: npm run faults -w @ashlar/store */
const runs = 1;
/** A thousand contend for each of them, and all the while for the others. */
const tenures = 6;

describeWith([{ own: 'redis' }, { own: 'postgres' }, 'cc'], 'faults', () => {
  for (const fault of faultsWith(tenures)) {
    it(`${fault.name}: ${fault.about}`, { timeout: 300_000 }, async () => {
      const row = await runFault(fault, report, { runs, seed: 7 });
      expect(row).toMatchObject({ runs, unexpected: 0, remarks: [], ok: true });
      expect(row.operations).toBeGreaterThan(0);
      if (fault.allows?.includes('lost')) expect(row.lost).toBeGreaterThan(0);
    });
  }

  it('find a holder whose sink has no fence', async () => {
    const row = await runFault(holderOf('redis', false), report, { runs: 3, seed: 1 });
    expect(row.unexpected).toBeGreaterThan(0);
  });
});

/** What the traffic says of a store that is broken in one way. */
async function judged(broken: (store: Store) => Partial<Store>, patienceMs = 20_000): Promise<Tally> {
  const store = ending(memoryStore());
  const client = { store: intercepted(store, broken(store)) } as never;
  const tally = new Tally();
  const traffic = new Traffic([client, client, client], '', seededRandom(1), patienceMs);
  await traffic.busy(500);
  await traffic.end(tally);
  return tally;
}

it('find nothing where nothing is wrong', async () => {
  expect(await judged(() => ({}))).toMatchObject({ lost: 0, duplicated: 0, remarks: [] });
});

it('find writes that were acknowledged and are gone', async () => {
  let count = 0;
  const tally = await judged(store => ({
    set: async (key, value, options) =>
      ++count > 100 && options === undefined ? 'a version' : store.set(key, value, options),
  }));
  expect(tally.lost).toBeGreaterThan(0);
});

it('find steps that were taken twice, or were lost', async () => {
  let count = 0;
  const twice = await judged(store => ({
    async set(key, value, options) {
      const next = options !== undefined && ++count === 50 ? Buffer.from(`${Number(`${value}`)}0`) : value;
      return store.set(key, next, options);
    },
  }));
  expect(twice.duplicated).toBeGreaterThan(0);
  const unconditional = await judged(store => ({
    set: (key, value, { ifVersion: _, ...options } = {}) => store.set(key, value, options),
    get: async key => {
      const entry = await store.get(key);
      await new Promise(resolve => setImmediate(resolve));
      return entry;
    },
  }));
  expect(unconditional.lost).toBeGreaterThan(0);
});

it('find claims that two have, and tokens that do not grow', async () => {
  const both = await judged(store => ({
    claim: (name, holder, ttlMs) => store.claim(`${name} of ${holder}`, holder, ttlMs),
  }));
  expect(both.duplicated).toBeGreaterThan(0);
  let token = 1_000n;
  const shrinking = new Tenures();
  for (const [index, holder] of ['a', 'b', 'c'].entries()) {
    shrinking.add({ holder, token: token--, sentAt: index, givenAt: index + 0.1, endedAt: index + 0.2 });
  }
  const tally = new Tally();
  shrinking.judge(tally);
  expect(tally).toMatchObject({ duplicated: 0 });
  expect(tally.remarks).toHaveLength(3);
});

it('find a watch that misses a last state', async () => {
  const silent: Partial<Store> = {
    async *watch() {
      yield* [];
    },
  };
  expect((await judged(() => silent, 2_000)).remarks).toEqual(['the watch missed a last state']);
});
