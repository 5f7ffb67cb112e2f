import { PGlite } from '@electric-sql/pglite';
import { pgliteMoves } from '../../../src/adapters/pglite.ts';
import type { MoveBackend } from '../../../src/moves/move-backend.ts';
import type { Tables } from '../../../src/tables/table.ts';
import type { How } from '../plan.ts';
import type { ReplacingSite } from './site.ts';
import { createTable, dumpOf, keyOf, makeAnew, type SqlLike, spec } from './sql.ts';

/** Databases in this process, which are made anew by statements: to open another takes seconds. */
export class PGliteSite implements ReplacingSite {
  readonly hows: readonly How[] = ['empty', 'backup'];
  readonly key = 'text';
  readonly tables: Tables = { notes: spec };
  readonly keyOf: ReplacingSite['keyOf'] = keyOf;
  readonly #dbs: Readonly<Record<string, PGlite>>;

  private constructor(dbs: Readonly<Record<string, PGlite>>) {
    this.#dbs = dbs;
  }

  static async start(): Promise<PGliteSite> {
    const dbs = { one: await PGlite.create(), two: await PGlite.create() };
    for (const db of Object.values(dbs)) await db.exec(createTable);
    return new PGliteSite(dbs);
  }

  async reset(): Promise<void> {
    for (const name of Object.keys(this.#dbs)) await makeAnew(this.#sql(name));
  }

  backend(): MoveBackend {
    const { one, two } = this.#dbs as { one: PGlite; two: PGlite };
    return pgliteMoves({ shards: { one: { db: one }, two: { db: two } }, batch: 4 });
  }

  async write(shard: string, key: string, value: string | undefined): Promise<void> {
    const sql = this.#sql(shard);
    if (value === undefined) await sql.query('DELETE FROM notes WHERE id = $1', [key]);
    else
      await sql.query(
        'INSERT INTO notes VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET note = excluded.note',
        [key, value],
      );
  }

  async rows(shard: string): Promise<Readonly<Record<string, string>>> {
    const rows = await this.#sql(shard).query('SELECT id, note FROM notes');
    return Object.fromEntries(rows.map(({ id, note }) => [id, note]));
  }

  backUp(shard: string): Promise<string> {
    return dumpOf(this.#sql(shard));
  }

  async replace(shard: string, how: How, backup: unknown): Promise<void> {
    await makeAnew(this.#sql(shard), how === 'empty' ? '' : (backup as string));
  }

  #sql(shard: string): SqlLike {
    const db = this.#dbs[shard]!;
    return {
      exec: text => db.exec(text),
      query: async (text, values) => (await db.query(text, values)).rows,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const db of Object.values(this.#dbs)) await db.close();
  }
}
