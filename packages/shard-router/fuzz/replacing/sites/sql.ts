import { creation } from '../../../src/adapters/postgres/moves/sessions/session.ts';
import { Slots } from '../../../src/keys/slots.ts';
import { slots } from './site.ts';

export const spec = { key: ['id'], primaryKey: ['id'], columns: { id: 'text', note: 'text' } } as const;
export const createTable = 'CREATE TABLE notes (id text PRIMARY KEY, note text)';
const numbers = new Slots('text', slots);

export function keyOf(n: number): { readonly key: string; readonly slot: number } {
  const key = `key ${n}`;
  return { key, slot: numbers.of(key) };
}

/** A connection that runs several statements at once, or one with values. */
export interface SqlLike {
  exec(text: string): Promise<unknown>;
  // biome-ignore lint/suspicious/noExplicitAny: rows of any statement
  query(text: string, values?: unknown[]): Promise<any[]>;
}

/** What a database has of rows, notes of moves, functions and triggers, as statements that make it again. */
export async function dumpOf(db: SqlLike): Promise<string> {
  const insert = (table: string, more = '') =>
    `SELECT format('INSERT INTO ${table} ${more} SELECT * FROM jsonb_populate_record(NULL::${table}, %L);', to_jsonb(t)) AS s FROM ${table} t`;
  const parts = [insert('public.notes')];
  const [{ has }] = await db.query("SELECT to_regclass('ashlar_shards.touched') IS NOT NULL AS has");
  if (has) {
    for (const name of ['move', 'mark', 'fence']) parts.push(insert(`ashlar_shards.${name}`));
    parts.push(insert('ashlar_shards.touched', 'OVERRIDING SYSTEM VALUE'));
    parts.push(
      `SELECT pg_get_functiondef(oid) || ';' AS s FROM pg_proc WHERE pronamespace = to_regnamespace('ashlar_shards')`,
    );
    parts.push(
      `SELECT pg_get_triggerdef(oid) || format('; ALTER TABLE %s ENABLE ALWAYS TRIGGER %I;', tgrelid::regclass, tgname) AS s FROM pg_trigger
       WHERE tgrelid IN ('notes'::regclass, 'ashlar_shards.mark'::regclass) AND NOT tgisinternal AND tgenabled = 'A'`,
    );
  }
  const made: string[] = has ? [creation, ';'] : [];
  for (const part of parts) for (const { s } of await db.query(part)) made.push(s);
  return made.join('\n');
}

/** Makes a database one that has nothing but its table, or what was dumped. */
export async function makeAnew(db: SqlLike, dump = ''): Promise<void> {
  await db.exec(
    `SET client_min_messages = warning; SET session_replication_role = replica; SET ashlar.mover = 'on';
     DROP SCHEMA IF EXISTS ashlar_shards CASCADE; DELETE FROM notes`,
  );
  const left = await db.query(
    "SELECT tgname FROM pg_trigger WHERE tgrelid = 'notes'::regclass AND NOT tgisinternal",
  );
  for (const { tgname } of left) await db.exec(`DROP TRIGGER ${tgname} ON notes`);
  if (dump !== '') await db.exec(dump);
  await db.exec('RESET session_replication_role; RESET ashlar.mover');
}
