import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MoveSpec } from '../../../src/moves/move-backend.ts';
import { context, lowerHalf, type TwoShards, twoShards } from '../shards.ts';

describe('slots that are retired at a database of PostgreSQL', () => {
  let shards: TwoShards;
  beforeAll(async () => {
    shards = await twoShards();
  }, 60_000);
  afterAll(() => shards[Symbol.asyncDispose]());

  const slotOf = (slot: number, kind: string): MoveSpec => ({
    ...lowerHalf(`${kind}${slot}`),
    to: 'one',
    slices: [{ from: slot, to: slot + 1 }],
  });

  it('stay so while others are admitted by another process', async () => {
    const [one, two] = [shards.moves(), shards.moves()];
    const retire = (slot: number) =>
      one.retire(slotOf(slot, 'retire'), context(), { withinMs: 10_000, keepsRows: false });
    const expected: number[] = [];
    for (let slot = 0; slot < 40; slot += 2) {
      await retire(slot + 1);
      await Promise.all([retire(slot), two.admit(slotOf(slot + 1, 'admit'), context())]);
      expected.push(slot);
      const { rows } = await shards.one.query("SELECT slices FROM ashlar_shards.fence WHERE id LIKE 'gone%'");
      const slots = rows[0].slices.flatMap(({ from, to }: { from: number; to: number }) =>
        Array.from({ length: to - from }, (_, i) => from + i),
      );
      expect(slots).toEqual(expected);
    }
  }, 120_000);

  it('have the rows of a transaction that was waited for, whatever isolation is the default', async () => {
    await shards.one.query("ALTER ROLE postgres SET default_transaction_isolation = 'repeatable read'");
    const writer = await shards.connect('one');
    await writer.query("BEGIN; INSERT INTO customer VALUES ('late')");
    const slices = [{ from: 0, to: 1024 }];
    const how = { withinMs: 60_000, keepsRows: false };
    const retired = shards.moves().retire({ ...slotOf(0, 'late'), slices }, context(), how);
    const waiting = 'SELECT count(*)::int AS n FROM pg_locks WHERE NOT granted';
    await expect.poll(async () => (await shards.one.query(waiting)).rows[0].n).toBe(1);
    await writer.query('COMMIT');
    expect(await retired).toEqual(['customer']);
    await shards.one.query('ALTER ROLE postgres RESET default_transaction_isolation');
  }, 60_000);
});
