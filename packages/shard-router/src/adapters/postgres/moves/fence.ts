import { FenceBusyError } from '../../../errors/moves.ts';
import type { MoveSpec, Slice } from '../../../moves/move-backend.ts';
import { backOf, inSlices, literal, liveSlices, relation, schema } from './names.ts';
import type { RelationRow } from './relations.ts';
import type { SqlSession } from './sessions/sql-session.ts';
import { busyCodes, unhurried } from './sessions/unhurried.ts';

/** What the fence refuses with; the router takes it for WrongShardError. */
const wrongShard = 'AS409';

/** The fence of the slots that have left a shard for good. */
const gone = 'gone';

/**
 * Denies by a trigger, since a trigger is seen by all sessions at once, whatever their isolation level. Opens by a row, which takes no
 * lock: a transaction that began before it is refused, which is safe. Closed again it is another attempt, or a transaction that began in
 * between would find it open. What copies rows is let through: a worker of logical
 * replication, or a session of ours that has asked for it in two settings.
 */
const functions = `
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
const rowTriggers = [
  { suffix: 'bi', when: 'BEFORE INSERT', of: ['NEW'] },
  { suffix: 'bu', when: 'BEFORE UPDATE', of: ['OLD', 'NEW'] },
  { suffix: 'bd', when: 'BEFORE DELETE', of: ['OLD'] },
  { suffix: 'ai', when: 'AFTER INSERT', of: ['NEW'] },
  { suffix: 'au', when: 'AFTER UPDATE', of: ['OLD', 'NEW'] },
] as const;

const truncate = 'tr';

/** Of all triggers of its kind at a table it is the last: it sees what the others have made of the row. */
function triggerName(id: string, suffix: string): string {
  return `zz_ashlar_${id}_${suffix}`;
}

function triggersOf(move: MoveSpec, id: string, slices: readonly Slice[], attempt: number): string {
  return Object.keys(move.tables)
    .flatMap(table =>
      rowTriggers.map(({ suffix, when, of }) => {
        const name = triggerName(id, suffix);
        const condition = of.map(version => inSlices(move, table, slices, `${version}.`)).join(' OR ');
        return `CREATE OR REPLACE TRIGGER ${name} ${when} ON ${relation(table)} FOR EACH ROW WHEN (${condition})
          EXECUTE FUNCTION ${schema}.deny(${literal(id)}, '${attempt}'); ALTER TABLE ${relation(table)} ENABLE ALWAYS TRIGGER ${name}`;
      }),
    )
    .join(';\n');
}

/** Keeps tables from being truncated, at source and target: their rows are replicated, a truncation is not. */
export async function denyTruncate(
  session: SqlSession,
  move: MoveSpec,
  relations: readonly RelationRow[],
  signal: AbortSignal,
): Promise<void> {
  await session.run(functions, [], signal);
  const name = triggerName(move.id, truncate);
  for (const { members } of relations) {
    for (const member of members) {
      await unhurried(session, signal, () =>
        session.run(
          `CREATE OR REPLACE TRIGGER ${name} BEFORE TRUNCATE ON ${member} FOR EACH STATEMENT
           EXECUTE FUNCTION ${schema}.deny_truncate(); ALTER TABLE ${member} ENABLE ALWAYS TRIGGER ${name}`,
          [],
          signal,
        ),
      );
    }
  }
}

/** Closes the fence of slots that this shard does not have yet. Those that it had once, and gave away, are with this move now. */
export async function closeTarget(session: SqlSession, move: MoveSpec, signal: AbortSignal): Promise<void> {
  await unhurried(session, signal, async () => {
    const { within, without } = split(await goneOf(session, move, signal), move.slices);
    await close(session, move, move.id, move.slices, within, signal);
    if (within.length > 0) await close(session, move, gone, without, [], signal);
  });
}

/** Closes the fence of slots for good that this shard has had until now. In a transaction after `lockGone` that has locked the tables. */
export async function closeGone(session: SqlSession, move: MoveSpec, signal: AbortSignal): Promise<void> {
  await session.run(functions, [], signal);
  const all = union([...(await goneOf(session, move, signal)), ...move.slices]);
  await close(session, move, gone, all, [], signal);
}

/** Opens what the fence of those that are gone refuses of slots that nobody has. */
export async function openGone(session: SqlSession, move: MoveSpec, signal: AbortSignal): Promise<void> {
  const stored = await storedGone(session, signal);
  const { without } = split(liveSlices(move, stored), move.slices);
  if (JSON.stringify(without) === JSON.stringify(union(stored))) return;
  await unhurried(session, signal, async () => {
    const { without } = split(await goneOf(session, move, signal), move.slices);
    await close(session, move, gone, without, [], signal);
  });
}

/**
 * Closes the fence of the source. The lock waits for all who write the tables, or hold rows of them `FOR UPDATE`, and none begins meanwhile.
 *
 * @throws FenceBusyError when they take longer than `withinMs`
 */
export async function closeSource(
  session: SqlSession,
  move: MoveSpec,
  withinMs: number,
  signal: AbortSignal,
): Promise<void> {
  const tables = Object.keys(move.tables).sort().map(relation);
  try {
    await session.transaction(signal, async () => {
      await session.run(`SET LOCAL statement_timeout = ${Math.max(1, Math.round(withinMs))}`, [], signal);
      await session.run(`LOCK TABLE ${tables.join(', ')} IN EXCLUSIVE MODE`, [], signal);
      await session.run('SET LOCAL statement_timeout = 0', [], signal);
      await close(session, move, move.id, move.slices, [], signal);
    });
  } catch (error) {
    if (busyCodes.has((error as { code?: string }).code ?? ''))
      throw new FenceBusyError(session.shard, { cause: error });
    throw error;
  }
}

/** Lets rows be written again at once, without waiting for anybody. The triggers go later, with `dropFence`. */
export async function open(session: SqlSession, ids: readonly string[], signal: AbortSignal): Promise<void> {
  await session.run(`UPDATE ${schema}.fence SET opened = attempt WHERE id = ANY ($1)`, [ids], signal);
}

/** Whether the fence stands as it was closed: nobody has dropped or disabled a trigger of it, nor of what keeps tables from being truncated. */
export async function stands(
  session: SqlSession,
  move: MoveSpec,
  relations: readonly RelationRow[],
  signal: AbortSignal,
): Promise<boolean> {
  const tables = Object.keys(move.tables).map(relation);
  const members = relations.flatMap(each => each.members);
  const names = rowTriggers.map(({ suffix }) => triggerName(move.id, suffix));
  // Made for the first direction, and kept for the other
  const truncations = [move.id, backOf(move.id)].map(id => triggerName(id, truncate));
  const [row] = await session.run<{ count: number; members: number; isClosed: boolean }>(
    `SELECT (SELECT count(*)::int FROM pg_trigger t JOIN unnest($1::text[]) w (name) ON t.tgrelid = to_regclass(w.name)
         WHERE t.tgname = ANY ($2) AND t.tgenabled = 'A') AS count,
       (SELECT count(DISTINCT t.tgrelid)::int FROM pg_trigger t JOIN unnest($3::text[]) w (name) ON t.tgrelid = to_regclass(w.name)
         WHERE t.tgname = ANY ($4) AND t.tgenabled = 'A') AS members,
       EXISTS (SELECT FROM ${schema}.fence WHERE id = $5 AND opened < attempt) AS "isClosed"`,
    [tables, names, members, truncations, move.id],
    signal,
  );
  return row!.isClosed && row!.count === tables.length * names.length && row!.members === members.length;
}

/** Ends the fence of a move. Slots that stay away from here are in the fence of those that are gone, before this one ends. */
export async function dropFence(
  session: SqlSession,
  move: MoveSpec,
  staysAway: 'all' | 'restored' | 'none',
  signal: AbortSignal,
): Promise<void> {
  const [row] = await session.run<{ slices: Slice[]; restored: Slice[] }>(
    `SELECT slices, restored FROM ${schema}.fence WHERE id = $1`,
    [move.id],
    signal,
  );
  const away =
    row === undefined || staysAway === 'none' ? [] : staysAway === 'all' ? row.slices : row.restored;
  await session.run(functions, [], signal);
  if (away.length > 0) {
    await unhurried(session, signal, async () => {
      const all = union([...(await goneOf(session, move, signal)), ...away]);
      await close(session, move, gone, all, [], signal);
    });
  }
  // In a transaction of its own: a lock that is taken weak and then strong is a deadlock with whoever reads in between and then writes
  await unhurried(session, signal, async () => {
    await session.run(`DELETE FROM ${schema}.fence WHERE id = $1`, [move.id], signal);
    await dropTriggers(
      session,
      [...rowTriggers.map(each => each.suffix), truncate].map(each => triggerName(move.id, each)),
      signal,
    );
  });
}

/** Drops triggers of these names, wherever they are; those of partitions go with those of their table. */
export async function dropTriggers(
  session: SqlSession,
  names: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const found = await session.run<{ name: string; at: string }>(
    'SELECT tgname AS name, tgrelid::regclass::text AS at FROM pg_trigger WHERE tgname = ANY ($1) AND tgparentid = 0 ORDER BY tgrelid::regclass::text',
    [names],
    signal,
  );
  for (const { name, at } of found) await session.run(`DROP TRIGGER IF EXISTS ${name} ON ${at}`, [], signal);
}

/**
 * Keeps others from changing which slots are gone until the transaction ends: what is written follows from what was read. Before any lock of a
 * table.
 */
export async function lockGone(session: SqlSession, signal: AbortSignal): Promise<void> {
  await session.run(`SELECT pg_advisory_xact_lock(hashtext($1))`, [`${schema} ${gone}`], signal);
}

/** The slots that are gone, of which some may have been cut since. In a transaction that changes them. */
async function goneOf(session: SqlSession, move: MoveSpec, signal: AbortSignal): Promise<readonly Slice[]> {
  await lockGone(session, signal);
  return liveSlices(move, await storedGone(session, signal));
}

async function storedGone(session: SqlSession, signal: AbortSignal): Promise<readonly Slice[]> {
  const statement = `SELECT slices FROM ${schema}.fence WHERE id = $1 AND opened < attempt`;
  const [row] = await session.run<{ slices: Slice[] }>(statement, [gone], signal);
  return row?.slices ?? [];
}

/** @param restored of the slices, those that are gone when the move is not */
async function close(
  session: SqlSession,
  move: MoveSpec,
  id: string,
  slices: readonly Slice[],
  restored: readonly Slice[],
  signal: AbortSignal,
): Promise<void> {
  const [row] = await session.run<{ attempt: number }>(
    `INSERT INTO ${schema}.fence AS f (id, slices, restored, attempt) VALUES ($1, $2, $3, 1)
     ON CONFLICT (id) DO UPDATE SET slices = excluded.slices, attempt = f.attempt + 1,
       restored = CASE WHEN excluded.restored = '[]' THEN f.restored ELSE excluded.restored END RETURNING attempt`,
    [id, JSON.stringify(slices), JSON.stringify(restored)],
    signal,
  );
  await session.run(triggersOf(move, id, slices, row!.attempt), [], signal);
}

/** Slices in order, where neighbors and those that overlap are one. */
function union(slices: readonly Slice[]): readonly Slice[] {
  const merged: { from: number; to: number }[] = [];
  for (const { from, to } of [...slices].sort((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last.to) last.to = Math.max(last.to, to);
    else merged.push({ from, to });
  }
  return merged;
}

/** The parts of `slices` within `others`, and the rest. */
function split(
  slices: readonly Slice[],
  others: readonly Slice[],
): { readonly within: readonly Slice[]; readonly without: readonly Slice[] } {
  const edges = [...new Set([...slices, ...others].flatMap(({ from, to }) => [from, to]))].sort(
    (a, b) => a - b,
  );
  const has = (all: readonly Slice[], at: number) => all.some(({ from, to }) => from <= at && at < to);
  const parts = edges.slice(0, -1).map((from, i) => ({ from, to: edges[i + 1]! }));
  const mine = parts.filter(({ from }) => has(slices, from));
  return {
    within: union(mine.filter(({ from }) => has(others, from))),
    without: union(mine.filter(({ from }) => !has(others, from))),
  };
}
