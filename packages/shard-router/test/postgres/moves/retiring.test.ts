import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MoveSpec } from '../../../src/moves/move-backend.ts';
import { context, fill, lowerHalf, moverOf, names, type TwoShards, tables, twoShards } from '../shards.ts';

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

  it('are refused at tables too that are made later, once a mover that has them looks', async () => {
    await using shards = await twoShards();
    const [[lower], [upper]] = [names(1, 'lower'), names(1, 'upper')];
    await fill(shards.one, [lower!, upper!], 1);
    const moves = shards.moves();
    const before = await moverOf(moves);
    const [{ id }] = (await before.move({ kind: 'merge', shards: ['one'], into: 'two' })) as unknown as [
      { id: string },
    ];
    await before.finish(id);
    const make = 'CREATE TABLE note (customer text, id int, PRIMARY KEY (customer, id))';
    for (const client of [shards.one, shards.two]) await client.query(make);
    const insert = 'INSERT INTO note VALUES ($1, $2)';
    await shards.one.query(insert, [lower, 1]);
    const note = {
      key: ['customer'],
      primaryKey: ['customer', 'id'],
      columns: { customer: 'text', id: 'int4' },
    } as const;
    const mover = await moverOf(moves, { tables: { ...tables, note, notYet: note } });
    expect(await mover.extendFences()).toEqual({ one: [{ table: 'note', hasRows: true }], two: [] });
    const denied = { code: 'AS409' };
    await expect(shards.one.query(insert, [lower, 2])).rejects.toMatchObject(denied);
    await expect(shards.one.query('DELETE FROM note WHERE customer = $1', [lower])).rejects.toMatchObject(
      denied,
    );
    await shards.one.query(insert, [upper, 1]);
    await shards.two.query(insert, [lower, 1]);
    expect(await mover.extendFences()).toEqual({ one: [], two: [] });
    // One that watches does so by itself
    await shards.one.query(`DROP TABLE note; ${make}`);
    const stop = new AbortController();
    const watching = mover.watch({ signal: stop.signal });
    await expect
      .poll(() =>
        shards.one.query(insert, [lower, 3]).then(
          () => 'written',
          error => error.code,
        ),
      )
      .toBe('AS409');
    stop.abort();
    await watching;
    await shards.one.query(insert, [upper, 1]);
  }, 120_000);
});
