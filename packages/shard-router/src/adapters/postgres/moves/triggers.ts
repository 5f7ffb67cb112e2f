import type { MoveSpec } from '../../../moves/move-backend.ts';
import { literal, relation, schema } from './names.ts';
import type { SqlSession } from './sessions/sql-session.ts';
import { unhurried } from './sessions/unhurried.ts';

/** What the fence refuses with; the router takes it for WrongShardError. */
const wrongShard = 'AS409';

/**
 * Denies by a trigger, since a trigger is seen by all sessions at once, whatever their isolation level. Opens by a row, which takes no
 * lock: a transaction that began before it is refused, which is safe. Closed again it is another attempt, or a transaction that began in
 * between would find it open. What copies rows is let through: a worker of logical
 * replication, or a session of ours that has asked for it in two settings.
 */
export const functions: string = `
  CREATE OR REPLACE FUNCTION ${schema}.deny() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
  BEGIN
    IF (current_setting('session_replication_role') = 'replica' AND (current_setting('ashlar.mover', true) = 'on'
        OR (SELECT a.backend_type LIKE 'logical replication%' FROM pg_stat_get_activity(pg_backend_pid()) a)))
      OR EXISTS (SELECT FROM ${schema}.fence f WHERE f.id = TG_ARGV[0] AND f.opened >= TG_ARGV[1]::int) THEN
      IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
      RETURN NEW;
    END IF;
    RAISE EXCEPTION USING ERRCODE = '${wrongShard}', TABLE = TG_TABLE_NAME,
      MESSAGE = format('these rows of %s are on another shard', TG_TABLE_NAME),
      HINT = 'Ask the shard router where the key is now, and write there.';
  END $$;
  CREATE OR REPLACE FUNCTION ${schema}.deny_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF current_setting('session_replication_role') = 'replica' AND current_setting('ashlar.mover', true) = 'on' THEN RETURN NULL; END IF;
    RAISE EXCEPTION USING ERRCODE = 'object_in_use', MESSAGE = format('%s cannot be truncated while its rows move', TG_TABLE_NAME),
      HINT = 'Delete the rows, or wait for the end of the move.';
  END $$`;

/** Events of a row, and which of its versions count. After as well: a trigger in between may change the key. */
export const rowTriggers = [
  { suffix: 'bi', when: 'BEFORE INSERT', of: ['NEW'] },
  { suffix: 'bu', when: 'BEFORE UPDATE', of: ['OLD', 'NEW'] },
  { suffix: 'bd', when: 'BEFORE DELETE', of: ['OLD'] },
  { suffix: 'ai', when: 'AFTER INSERT', of: ['NEW'] },
  { suffix: 'au', when: 'AFTER UPDATE', of: ['OLD', 'NEW'] },
] as const;

export const truncate: string = 'tr';

/** Of all triggers of its kind at a table it is the last: it sees what the others have made of the row. */
export function triggerName(id: string, suffix: string): string {
  return `zz_ashlar_${id}_${suffix}`;
}

/** What a fence refuses, and how it is noted. */
export interface Refusal {
  readonly slices: readonly unknown[];
  /** Of the slices, those that are gone when the move is not. */
  readonly restored?: readonly unknown[];
  /** Whether a version of a row is refused, in SQL. */
  isRefused(table: string, of: string): string;
}

/** Closes a fence, or another attempt of it, on the tables of the move. In a transaction. */
export async function close(
  session: SqlSession,
  move: MoveSpec,
  id: string,
  refusal: Refusal,
  signal: AbortSignal,
): Promise<void> {
  const attempt = await noteClosed(session, id, refusal, signal);
  const { isRefused } = refusal;
  await fenceTables(session, Object.keys(move.tables), { id, attempt, isRefused }, signal);
}

/** Notes that a fence is closed. Returns which attempt of it that is. */
export async function noteClosed(
  session: SqlSession,
  id: string,
  { slices, restored = [] }: Pick<Refusal, 'slices' | 'restored'>,
  signal: AbortSignal,
): Promise<number> {
  const [row] = await session.run<{ attempt: number }>(
    `INSERT INTO ${schema}.fence AS f (id, slices, restored, attempt) VALUES ($1, $2, $3, 1)
     ON CONFLICT (id) DO UPDATE SET slices = excluded.slices, attempt = f.attempt + 1,
       restored = CASE WHEN excluded.restored = '[]' THEN f.restored ELSE excluded.restored END RETURNING attempt`,
    [id, JSON.stringify(slices), JSON.stringify(restored)],
    signal,
  );
  return row!.attempt;
}

/** Has a fence that is closed stand at tables. */
export async function fenceTables(
  session: SqlSession,
  tables: readonly string[],
  { id, attempt, isRefused }: Pick<Refusal, 'isRefused'> & { readonly id: string; readonly attempt: number },
  signal: AbortSignal,
): Promise<void> {
  const triggers = tables.flatMap(table =>
    rowTriggers.map(({ suffix, when, of }) => {
      const name = triggerName(id, suffix);
      const condition = of.map(version => isRefused(table, `${version}.`)).join(' OR ');
      return `CREATE OR REPLACE TRIGGER ${name} ${when} ON ${relation(table)} FOR EACH ROW WHEN (${condition})
          EXECUTE FUNCTION ${schema}.deny(${literal(id)}, '${attempt}'); ALTER TABLE ${relation(table)} ENABLE ALWAYS TRIGGER ${name}`;
    }),
  );
  await session.run(triggers.join(';\n'), [], signal);
}

/**
 * Drops triggers of these names, wherever they are; those of partitions go with those of their table. Each table in a transaction of its
 * own: who holds a lock on one and waits for another would be a deadlock with whoever writes them in the other order.
 */
export async function dropTriggers(
  session: SqlSession,
  names: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const found = await session.run<{ at: string; names: string[] }>(
    `SELECT tgrelid::regclass::text AS at, array_agg(tgname::text) AS names FROM pg_trigger
     WHERE tgname = ANY ($1) AND tgparentid = 0 GROUP BY tgrelid ORDER BY 1`,
    [names],
    signal,
  );
  for (const { at, names } of found) {
    const drops = names.map(name => `DROP TRIGGER IF EXISTS ${name} ON ${at}`).join('; ');
    await unhurried(session, signal, () => session.run(drops, [], signal));
  }
}
