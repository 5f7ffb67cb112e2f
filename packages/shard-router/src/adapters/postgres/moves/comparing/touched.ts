import type { MoveSpec } from '../../../../moves/move-backend.ts';
import { identifier, inSlices, literal, relation, schema } from '../names.ts';
import type { RelationRow } from '../relations.ts';
import type { SqlSession } from '../sessions/sql-session.ts';
import { unhurried } from '../sessions/unhurried.ts';
import { dropTriggers } from '../triggers.ts';
import { keyOf, settingsFor } from './row-keys.ts';

/** Rows that were written since verifying began, by their primary keys, each as a list of JSON. */
export type Touched = ReadonlyMap<string, readonly string[]>;

const events = [
  { suffix: 'ti', when: 'INSERT', of: ['NEW'] },
  { suffix: 'tu', when: 'UPDATE', of: ['OLD', 'NEW'] },
  { suffix: 'td', when: 'DELETE', of: ['OLD'] },
] as const;

/** What a move itself copies or deletes is not written by anybody. */
const isWritten = `(pg_catalog.current_setting('session_replication_role') = 'replica'
  AND pg_catalog.current_setting('ashlar.mover', true) = 'on') IS NOT TRUE`;

function functionName(move: MoveSpec, at: number): string {
  return `${schema}.${identifier(`touch_${move.id}_${at}`)}`;
}

function triggerNames({ id }: MoveSpec): string[] {
  return events.map(({ suffix }) => `zz_ashlar_${id}_${suffix}`);
}

/** Begins to note which rows are written. */
export async function noteTouched(
  source: SqlSession,
  move: MoveSpec,
  relations: readonly RelationRow[],
  signal: AbortSignal,
): Promise<void> {
  for (const [at, of] of relations.entries()) {
    const { table } = of;
    const key = (version: string) => keyOf(of, `${version}.`);
    const into = (version: string) =>
      `INSERT INTO ${schema}.touched (move, relation, key) VALUES (${literal(move.id)}, ${literal(table)}, ${key(version)});`;
    const triggers = events.map(({ suffix, when, of: versions }) => {
      const name = `zz_ashlar_${move.id}_${suffix}`;
      const condition = versions
        .map(version => inSlices(move, table, move.slices, `${version}.`))
        .join(' OR ');
      return `CREATE OR REPLACE TRIGGER ${name} AFTER ${when} ON ${relation(table)} FOR EACH ROW WHEN ((${condition}) AND ${isWritten})
        EXECUTE FUNCTION ${functionName(move, at)}(); ALTER TABLE ${relation(table)} ENABLE ALWAYS TRIGGER ${name};`;
    });
    await unhurried(source, signal, () =>
      source.run(
        `CREATE OR REPLACE FUNCTION ${functionName(move, at)}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog${settingsFor(of)} AS $$
         BEGIN
           IF TG_OP <> 'INSERT' THEN ${into('OLD')} END IF;
           IF TG_OP = 'INSERT' THEN ${into('NEW')} END IF;
           IF TG_OP = 'UPDATE' THEN IF ${key('NEW')} <> ${key('OLD')} THEN ${into('NEW')} END IF; END IF;
           RETURN NULL;
         END $$;
         ${triggers.join('\n')}`,
        [],
        signal,
      ),
    );
  }
}

/** What is noted and not yet compared, and the snapshot in which that was read. */
export async function touched(
  source: SqlSession,
  move: MoveSpec,
  signal: AbortSignal,
): Promise<{ readonly rows: Touched; readonly snapshot: string }> {
  const found = await source.run<{ relation: string | null; keys: string[]; snapshot: string }>(
    `SELECT s.snapshot::text AS snapshot, t.relation, t.keys FROM pg_current_snapshot() s (snapshot) LEFT JOIN
       (SELECT relation, array_agg(DISTINCT key::text) AS keys FROM ${schema}.touched WHERE move = $1 GROUP BY relation) t ON true`,
    [move.id],
    signal,
  );
  const rows = new Map<string, string[]>();
  for (const { relation: table, keys } of found) if (table !== null) rows.set(table, keys);
  return { rows, snapshot: found[0]!.snapshot };
}

/** Whether a note was there in the snapshot of a parameter. Their numbers do not say it: one with a lower number may commit later. */
export const isIn = (parameter: string): string =>
  `pg_visible_in_snapshot(xid, ${parameter}::text::pg_snapshot)`;

/** What was noted in a snapshot is compared, but for the rows of `but`. */
export async function forget(
  source: SqlSession,
  move: MoveSpec,
  snapshot: string,
  but: Touched,
  signal: AbortSignal,
): Promise<void> {
  await source.run(
    `DELETE FROM ${schema}.touched t WHERE move = $1 AND ${isIn('$2')}
       AND NOT EXISTS (SELECT FROM jsonb_array_elements($3::jsonb) b WHERE b->>0 = t.relation AND b->1 = t.key)`,
    // As they are: JavaScript has not all digits of their numbers
    [
      move.id,
      snapshot,
      `[${[...but].flatMap(([table, keys]) => keys.map(key => `[${JSON.stringify(table)}, ${key}]`)).join(', ')}]`,
    ],
    signal,
  );
}

/**
 * How often each of these rows has been noted as written, by table and primary key. While nothing is forgotten, a row of which it is
 * the same again was not written in between, whatever the row is like.
 */
export async function writesOf(
  source: SqlSession,
  moves: readonly string[],
  rows: Touched,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, ReadonlyMap<string, string>>> {
  const writes = new Map<string, ReadonlyMap<string, string>>();
  for (const [table, keys] of rows) {
    const found = await source.run<{ key: string; count: string }>(
      `SELECT k.key, count(t.n)::text AS count FROM unnest($3::text[]) k (key)
       LEFT JOIN ${schema}.touched t ON t.move = ANY ($1) AND t.relation = $2 AND t.key = k.key::jsonb GROUP BY k.key`,
      [moves, table, keys],
      signal,
    );
    writes.set(table, new Map(found.map(({ key, count }) => [key, count])));
  }
  return writes;
}

/** Whether what notes is there, at all of the tables. */
export async function isNoting(source: SqlSession, move: MoveSpec, signal: AbortSignal): Promise<boolean> {
  const tables = Object.keys(move.tables).map(relation);
  const [row] = await source.run<{ count: number }>(
    `SELECT count(*)::int AS count FROM pg_trigger t JOIN unnest($1::text[]) w (name) ON t.tgrelid = to_regclass(w.name)
     WHERE t.tgname = ANY ($2) AND t.tgenabled = 'A'`,
    [tables, triggerNames(move)],
    signal,
  );
  return row!.count === tables.length * events.length;
}

/** Notes no more, and drops what did. */
export async function endTouched(source: SqlSession, move: MoveSpec, signal: AbortSignal): Promise<void> {
  await dropTriggers(source, triggerNames(move), signal);
  await unhurried(source, signal, async () => {
    for (const at of Object.keys(move.tables).keys()) {
      await source.run(`DROP FUNCTION IF EXISTS ${functionName(move, at)}()`, [], signal);
    }
    await source.run(`DELETE FROM ${schema}.touched WHERE move = $1`, [move.id], signal);
  });
}
