import { describe, expect, it, onTestFinished } from 'vitest';
import { context, run } from '../../src/conformance/steps.ts';
import type { MoveSpec } from '../../src/moves/move-backend.ts';
import { names, type TwoShards, twoShards } from '../postgres/shards.ts';
import { halfOf } from '../support/half.ts';

const tables = {
  word: {
    key: ['tenant'],
    primaryKey: ['tenant', 'word', 'form'],
    columns: { tenant: 'text', word: 'text', form: 'text' },
  },
} as const;
const texts = ['a', 'B', 'c', 'Ä', 'ab', 'AC', '_', 'z', 'Zz', 'é1'];

async function place() {
  const shards = await twoShards({ config: { wal_retrieve_retry_interval: '100ms' } });
  onTestFinished(async () => shards[Symbol.asyncDispose]());
  for (const client of [shards.one, shards.two])
    await client.query(
      `DO $$ BEGIN CREATE EXTENSION citext; EXCEPTION WHEN OTHERS THEN CREATE DOMAIN citext AS text; END $$;
       CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
       CREATE TABLE word (tenant text, word citext, form text COLLATE loose, code char(5), n int DEFAULT 0, PRIMARY KEY (tenant, word, form))`,
    );
  return shards;
}

/** Everything of a shard, to the letter. */
async function rowsOf(client: TwoShards['one']): Promise<unknown[]> {
  const { rows } = await client.query(
    'SELECT tenant, word::text, form, code::text, n FROM word ORDER BY tenant, word::text COLLATE "C", form COLLATE "C"',
  );
  return rows;
}

describe('a move of rows whose primary key takes different texts for equal', () => {
  // vitess#12859 and vitess#9715 (comparing went by another order than the rows came in), vitess#9207 (padding)
  it('finds them equal, follows a change that the key does not notice, and comes back', async () => {
    const { one, two, moves: open } = await place();
    const tenants = names(20, 'lower');
    const move: MoveSpec = halfOf({ key: 'text', slots: 1024, tables }, 'loose');
    for (const tenant of tenants)
      await one.query(
        "INSERT INTO word SELECT $1, w, f, left(w, 2) FROM unnest($2::text[]) w, unnest(ARRAY['x', 'Y', 'ö']) f",
        [tenant, texts],
      );
    const moves = open();
    expect(await moves.plan(move, AbortSignal.timeout(60_000))).toMatchObject({ obstacles: [] });
    const change = (client: TwoShards['one']) =>
      client.query(
        `UPDATE word SET word = CASE WHEN word::text = upper(word::text) THEN lower(word::text) ELSE upper(word::text) END,
           form = CASE WHEN form COLLATE "C" = upper(form) THEN lower(form) ELSE upper(form) END, code = code || ' ', n = n + 1
         WHERE hashtext(word::text) % 2 = 0`,
      );
    await run(moves, move, { to: 'copy' });
    await change(one);
    await run(moves, move, { from: 'lag', to: 'verify' });
    await change(one);
    await run(moves, move, { from: 'fence' });
    expect(await rowsOf(two)).toEqual(await rowsOf(one));
    await moves.follow(move, context());
    await change(two);
    await run(moves, { ...move, from: 'two', to: 'one' }, { from: 'lag' });
    expect(await rowsOf(one)).toEqual(await rowsOf(two));
    await moves.finish({ ...move, from: 'two', to: 'one' }, context());
    expect(await rowsOf(two)).toEqual([]);
    expect((await rowsOf(one)).length).toBe(tenants.length * texts.length * 3);
  }, 120_000);
});
