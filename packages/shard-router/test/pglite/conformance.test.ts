import { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, describe, it, vi } from 'vitest';
import { pgliteMoves } from '../../src/adapters/pglite.ts';
import { moveConformance } from '../../src/conformance.ts';
import { Slots } from '../../src/keys/slots.ts';
import { halfOf } from '../support/half.ts';

const table = { key: ['id'], primaryKey: ['id'], columns: { id: 'text', note: 'text' } } as const;
const slots = new Slots('text', 16);
const keys = Array.from({ length: 200 }, (_, i) => `key ${i}`);
const insert = 'INSERT INTO notes VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET note = excluded.note';
/** As a session does that damages what was copied. */
const pastTheFence = `SET LOCAL session_replication_role = replica; SET LOCAL ashlar.mover = 'on'`;

/** Two databases in this process, and each test moves rows again and again: this only ends what hangs. */
vi.setConfig({ testTimeout: 180_000 });

// It takes seconds to start one
let databases: readonly PGlite[];
beforeAll(async () => {
  databases = [await PGlite.create(), await PGlite.create()];
}, 120_000);
afterAll(async () => {
  for (const db of databases ?? []) await db.close();
});

moveConformance(
  { describe, it },
  async () => {
    const [one, two] = databases as [PGlite, PGlite];
    const at = (shard: string) => (shard === 'one' ? one : two);
    for (const db of [one, two]) await db.exec('CREATE TABLE notes (id text PRIMARY KEY, note text)');
    const put = (db: Pick<PGlite, 'query'>, key: string, value: string | undefined) =>
      value === undefined
        ? db.query('DELETE FROM notes WHERE id = $1', [key])
        : db.query(insert, [key, value]);
    return {
      move: halfOf({ key: 'text', slots: 16, tables: { notes: table } }),
      moved: keys.filter(key => slots.of(key) < 8),
      others: keys.filter(key => slots.of(key) >= 8),
      backend: () => pgliteMoves({ shards: { one: { db: one }, two: { db: two } }, batch: 40 }),
      write: async (shard, key, value) => void (await put(at(shard), key, value)),
      async rows(shard) {
        const { rows } = await at(shard).query<{ id: string; note: string }>('SELECT id, note FROM notes');
        return Object.fromEntries(rows.map(({ id, note }) => [id, note]));
      },
      async damage(shard, key, value) {
        await at(shard).transaction(async each => {
          await each.exec(pastTheFence);
          await put(each, key, value);
        });
      },
      async [Symbol.asyncDispose]() {
        for (const db of [one, two])
          await db.exec('DROP TABLE notes; DROP SCHEMA IF EXISTS ashlar_shards CASCADE');
      },
    };
  },
  { name: 'PGlite' },
);
