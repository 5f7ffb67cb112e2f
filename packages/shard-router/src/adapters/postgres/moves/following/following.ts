import { sleep } from '@ashlar/core';
import { LostCopyError, MoveBlockedError } from '../../../../errors/moves.ts';
import type { MoveSpec } from '../../../../moves/move-backend.ts';
import { identifier, inSlices, literal, nameOf, relation, schema } from '../names.ts';
import type { SqlSession } from '../sessions/sql-session.ts';

/** Milliseconds between two looks at what should happen soon. */
const stepMs = 2;
/** Errors of a subscription's workers after which it is told: they try again by themselves, for ever. */
const workerErrors = 5;

interface SlotRow {
  readonly status: string | null;
  readonly retained: number;
  readonly confirmed: string;
}

async function slotOf(source: SqlSession, id: string, signal: AbortSignal): Promise<SlotRow | undefined> {
  const [row] = await source.run<SlotRow>(
    `SELECT wal_status AS status, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::float8 AS retained,
       confirmed_flush_lsn::text AS confirmed
     FROM pg_replication_slots WHERE slot_name = $1 AND database = current_database()`,
    [nameOf(id)],
    signal,
  );
  return row;
}

/** Bytes of log that the source keeps for a move. @throws LostCopyError when it keeps none */
export async function retainedBytes(source: SqlSession, id: string, signal: AbortSignal): Promise<number> {
  const slot = await slotOf(source, id, signal);
  if (slot === undefined) throw new LostCopyError(id, `${source.shard} has no replication slot for it`);
  if (slot.status === 'lost') throw new LostCopyError(id, `${source.shard} keeps its log no longer`);
  return slot.retained;
}

export async function hasSubscription(target: SqlSession, id: string, signal: AbortSignal): Promise<boolean> {
  const rows = await target.run('SELECT FROM pg_subscription WHERE subname = $1', [nameOf(id)], signal);
  return rows.length > 0;
}

/** @throws LostCopyError when the target is one that follows nobody */
export async function checkFollows(target: SqlSession, id: string, signal: AbortSignal): Promise<void> {
  if (await hasSubscription(target, id, signal)) return;
  throw new LostCopyError(id, `${target.shard} has no subscription for it`);
}

/** Whether there is a subscription that does not follow yet. */
export async function standsStill(target: SqlSession, id: string, signal: AbortSignal): Promise<boolean> {
  const rows = await target.run(
    'SELECT FROM pg_subscription WHERE subname = $1 AND NOT subenabled',
    [nameOf(id)],
    signal,
  );
  return rows.length > 0;
}

/** Publishes the moved rows and the mark of the move. */
export async function publish(source: SqlSession, move: MoveSpec, signal: AbortSignal): Promise<void> {
  const name = nameOf(move.id);
  const found = await source.run('SELECT FROM pg_publication WHERE pubname = $1', [name], signal);
  if (found.length === 0) {
    const tables = Object.keys(move.tables)
      .sort()
      .map(table => `${relation(table)} WHERE (${inSlices(move, table, move.slices)})`);
    await source.run(
      `CREATE PUBLICATION ${name} FOR TABLE ${tables.join(', ')}, ${schema}.mark WHERE (move = ${literal(move.id)})
       WITH (publish = 'insert, update, delete', publish_via_partition_root = true)`,
      [],
      signal,
    );
  }
  if ((await slotOf(source, move.id, signal)) === undefined) {
    // Waits for the transactions that are open
    await source.run("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", [name], signal);
  }
}

/** Follows a publication. @param copies the rows that are there first */
export async function subscribe(
  target: SqlSession,
  id: string,
  sourceConninfo: string,
  copies: boolean,
  signal: AbortSignal,
): Promise<void> {
  const name = nameOf(id);
  await target.run(`DELETE FROM ${schema}.mark WHERE move = $1`, [id], signal);
  await target.run(
    `CREATE SUBSCRIPTION ${name} CONNECTION ${literal(sourceConninfo)} PUBLICATION ${name} WITH (create_slot = false,
       slot_name = ${name}, copy_data = ${copies}, enabled = ${copies}, synchronous_commit = 'on')`,
    [],
    signal,
  );
}

export async function enable(target: SqlSession, id: string, signal: AbortSignal): Promise<void> {
  await target.run(`ALTER SUBSCRIPTION ${nameOf(id)} ENABLE`, [], signal);
}

/** Tells of a subscription whose workers fail again and again, since they tell nobody but the log of their server. */
export class WorkerErrors {
  readonly #target: SqlSession;
  readonly #id: string;
  #before: number | undefined;

  constructor(target: SqlSession, id: string) {
    this.#target = target;
    this.#id = id;
  }

  /** @throws MoveBlockedError */
  async check(signal: AbortSignal): Promise<void> {
    const [row] = await this.#target.run<{ errors: number }>(
      'SELECT (apply_error_count + sync_error_count)::int AS errors FROM pg_stat_subscription_stats WHERE subname = $1',
      [nameOf(this.#id)],
      signal,
    );
    const errors = row?.errors ?? 0;
    this.#before ??= errors;
    if (errors < this.#before + workerErrors) return;
    throw new MoveBlockedError(
      this.#id,
      `${this.#target.shard} cannot apply what it gets; the log of its server says why (subscription ${nameOf(this.#id)})`,
    );
  }
}

/**
 * Writes a mark at the source; it arrives at the target after all that was committed there before it. Each is a row of its own: an
 * update of a row that the target lacks would be lost in silence.
 */
export async function mark(
  source: SqlSession,
  move: string,
  signal: AbortSignal,
): Promise<{ readonly id: string; readonly position: string }> {
  const [{ id }] = (await source.run(
    `WITH old AS (DELETE FROM ${schema}.mark WHERE move = $1)
     INSERT INTO ${schema}.mark VALUES ($1, gen_random_uuid(), clock_timestamp()) RETURNING id`,
    [move],
    signal,
  )) as [{ id: string }];
  // Read after the commit: so the mark is before it. What is not flushed is not sent, and nothing of it may be waited for
  const [{ position }] = (await source.run(
    'SELECT pg_current_wal_flush_lsn()::text AS position',
    [],
    signal,
  )) as [{ position: string }];
  return { id, position };
}

export interface Arrival {
  /** When the newest mark at the target was written, by the clock of the source; undefined when there is none. */
  readonly at: string | undefined;
  readonly isHere: boolean;
}

export async function arrival(
  target: SqlSession,
  move: string,
  id: string,
  signal: AbortSignal,
): Promise<Arrival> {
  const [row] = await target.run<{ at: string | null; isHere: boolean | null }>(
    `SELECT max(at)::text AS at, bool_or(id = $2) AS "isHere" FROM ${schema}.mark WHERE move = $1`,
    [move, id],
    signal,
  );
  return { at: row!.at ?? undefined, isHere: row!.isHere ?? false };
}

/** Resolves when the target shows all that was committed at the source before the call. */
export async function barrier(
  source: SqlSession,
  target: SqlSession,
  move: string,
  signal: AbortSignal,
): Promise<{ readonly position: string }> {
  const { id, position } = await mark(source, move, signal);
  const watch = new WorkerErrors(target, move);
  for (let looks = 1; !(await arrival(target, move, id, signal)).isHere; looks++) {
    if (looks % 100 === 0) {
      await retainedBytes(source, move, signal);
      await watch.check(signal);
    }
    await sleep(stepMs, signal);
  }
  return { position };
}

/** Resolves when the target has confirmed that it has, on its disk, all up to a position of the source. */
export async function confirmed(
  source: SqlSession,
  id: string,
  position: string,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const [row] = await source.run<{ has: boolean }>(
      'SELECT confirmed_flush_lsn >= $2::pg_lsn AS has FROM pg_replication_slots WHERE slot_name = $1',
      [nameOf(id), position],
      signal,
    );
    if (row === undefined) throw new LostCopyError(id, `${source.shard} has no replication slot for it`);
    if (row.has) return;
    await sleep(stepMs, signal);
  }
}

/** Passes over all that is in the log now: it came from where it would go to. Does nothing while there is no slot, or it is in use. */
export async function passOver(source: SqlSession, id: string, signal: AbortSignal): Promise<void> {
  await source.run(
    `SELECT pg_replication_slot_advance(slot_name, pg_current_wal_lsn()) FROM pg_replication_slots
     WHERE slot_name = $1 AND NOT active AND confirmed_flush_lsn < pg_current_wal_lsn()`,
    [nameOf(id)],
    signal,
  );
}

/** Ends following at the target; leaves nothing of it there. */
export async function unsubscribe(target: SqlSession, id: string, signal: AbortSignal): Promise<void> {
  if (!(await hasSubscription(target, id, signal))) return;
  const subscription = `SUBSCRIPTION ${nameOf(id)}`;
  await target.run(`ALTER ${subscription} DISABLE`, [], signal);
  // The slot is ours to drop: the source may be another server by now
  await target.run(`ALTER ${subscription} SET (slot_name = NONE)`, [], signal);
  await target.run(`DROP ${subscription}`, [], signal);
}

/** Ends publishing at the source: its publication, and all replication slots of the move, those of the copying of one table too. */
export async function unpublish(source: SqlSession, id: string, signal: AbortSignal): Promise<void> {
  const name = nameOf(id);
  for (;;) {
    const [slot] = await source.run<{ pid: number | null }>(
      'SELECT active_pid AS pid FROM pg_replication_slots WHERE slot_name = $1',
      [name],
      signal,
    );
    if (slot === undefined) break;
    if (slot.pid === null) {
      await source.run(
        'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1 AND NOT active',
        [name],
        signal,
      );
    } else {
      await source.run('SELECT pg_terminate_backend($1)', [slot.pid], signal);
      await sleep(stepMs, signal);
    }
  }
  await source.run(`DROP PUBLICATION IF EXISTS ${identifier(name)}`, [], signal);
  await source.run(`DELETE FROM ${schema}.mark WHERE move = $1`, [id], signal);
}
