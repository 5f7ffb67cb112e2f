import { sleep } from '@ashlar/core';
import { TermPassedError } from '../../errors.ts';
import type { Administration } from '../../server.ts';
import type { Position } from '../../session.ts';
import type { PgClientLike } from './client-like.ts';
import { flush, type LookRow, look, type PositionRow, positionOf, primaryPosition } from './statements.ts';
import type { Wire } from './wire.ts';

/** The advisory lock of whoever administers the server. */
const lock = { space: 1_095_976_012, key: 1 };
/** Where a server notes the latest term: a setting of our own, which outlives a restart. */
const noted = 'ashlar.term';
/** Milliseconds between two looks at what should happen soon. */
const stepMs = 3;
/** Milliseconds after which replay that does not end is helped: what is read on the standby may hold it up. */
const helpMs = 200;

/** What the startup process waits for when it is at the end of the WAL that there is. */
const idle = ['RecoveryWalStream', 'RecoveryRetrieveRetryInterval', 'RecoveryWalAll'];

/** One row of a `ReplayRow`. */
const replay = `SELECT looked.*,
  (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'walreceiver') AS receivers,
  pg_last_wal_receive_lsn()::text AS received, pg_last_wal_replay_lsn()::text AS replayed,
  (SELECT wait_event FROM pg_stat_activity WHERE backend_type = 'startup') AS "waitsFor",
  pg_is_wal_replay_paused() AS "isPaused"
  FROM (${look}) AS looked`;

interface ReplayRow extends LookRow {
  readonly receivers: number;
  readonly received: string | null;
  readonly replayed: string;
  readonly waitsFor: string | null;
  readonly isPaused: boolean;
}

export interface AdministrationSettings<C extends PgClientLike> {
  readonly id: string;
  readonly wire: Wire<C>;
  /** Fills in what was known of the server before. */
  known(row: LookRow): LookRow;
  /** How others reach a server. */
  replicationOf(id: string): string;
}

/**
 * The one session that changes a server, under a lock that ends with it. A later term ends the session of an earlier one
 * before it does anything: whoever was stopped in the middle wakes up without a connection.
 */
export class PostgresAdministration<C extends PgClientLike> implements Administration {
  readonly #id: string;
  readonly #wire: Wire<C>;
  readonly #settings: AdministrationSettings<C>;
  /** Whether this session has made it refuse writes. */
  #isReadOnly = false;

  private constructor(settings: AdministrationSettings<C>) {
    this.#id = settings.id;
    this.#wire = settings.wire;
    this.#settings = settings;
  }

  /** @throws TermPassedError */
  static async begin<C extends PgClientLike>(
    settings: AdministrationSettings<C>,
    term: number,
    signal: AbortSignal,
  ): Promise<PostgresAdministration<C>> {
    const administration = new PostgresAdministration(settings);
    try {
      await administration.#take(term, signal);
      return administration;
    } catch (error) {
      await administration[Symbol.asyncDispose]();
      throw error;
    }
  }

  async isPrimary(): Promise<boolean> {
    return !(await this.#look()).isReplica;
  }

  async detach(signal: AbortSignal): Promise<Position> {
    await this.#look(); // While a WAL receiver can say the timeline
    await this.#set('primary_conninfo', '');
    const startedAt = performance.now();
    let before: string | undefined;
    for (;;) {
      const row = await this.#one<ReplayRow>(replay);
      if (row.isPaused) await this.#one('SELECT pg_wal_replay_resume()');
      const isIdle = row.waitsFor !== null && idle.includes(row.waitsFor);
      const hasAll = row.received === row.replayed || (isIdle && before === row.replayed);
      if (row.receivers === 0 && hasAll && !row.isPaused) return positionOf(this.#settings.known(row));
      before = isIdle && row.receivers === 0 ? row.replayed : undefined;
      if (performance.now() - startedAt > helpMs) await this.#endSessions("state <> 'idle'");
      await sleep(stepMs, signal);
    }
  }

  async position(): Promise<Position> {
    return positionOf(await this.#look());
  }

  async drain(signal: AbortSignal): Promise<Position> {
    await this.#refuseWrites();
    // A session learns of it before its next transaction, but not all at the same moment: so it is looked twice
    for (let idle = 0; ; await sleep(stepMs, signal)) {
      const { writing } = await this.#one<{ writing: number }>(`SELECT count(*)::int AS writing
        FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()`);
      idle = writing === 0 ? idle + 1 : 0;
      if (idle === 2) break;
    }
    const results: unknown = await this.#wire.client.query(`${flush}; ${primaryPosition}`);
    const { rows } = (results as readonly { readonly rows: readonly PositionRow[] }[]).at(-1)!;
    return positionOf(rows[0]!);
  }

  async require(standbys: readonly string[], count: number): Promise<void> {
    const names = standbys.map(name => `"${name.replaceAll('"', '""')}"`).join(', ');
    await this.#wire.client.query('ALTER SYSTEM RESET default_transaction_read_only');
    this.#isReadOnly = false;
    await this.#set('synchronous_standby_names', count === 0 ? '' : `ANY ${count} (${names})`);
  }

  async promote(signal: AbortSignal): Promise<void> {
    await this.#one('SELECT pg_promote(false)');
    for (;;) {
      const { isOver } = await this.#one<{ isOver: boolean }>('SELECT NOT pg_is_in_recovery() AS "isOver"');
      if (isOver) return;
      await sleep(stepMs, signal);
    }
  }

  async follow(primary: string): Promise<void> {
    const { isReplica, isReadOnly } = await this.#look();
    if (!isReplica)
      throw new Error(`${this.#id} is a primary of an earlier term, and must be rewound before it follows`);
    const name = this.#id.replaceAll(/['\\]/g, each => `\\${each}`);
    if (isReadOnly) await this.#wire.client.query('ALTER SYSTEM RESET default_transaction_read_only');
    await this.#set(
      'primary_conninfo',
      `${this.#settings.replicationOf(primary)} application_name='${name}'`,
    );
  }

  async fence(): Promise<void> {
    await this.#refuseWrites();
    await this.#endSessions('true');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#wire.lose(new Error('the administration is over'));
  }

  async #take(term: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      const { isOurs } = await this.#one<{ isOurs: boolean }>(
        `SELECT pg_try_advisory_lock(${lock.space}, ${lock.key}) AS "isOurs"`,
      );
      // From the file, as a reload reaches a session in its own time
      const { latest } = await this.#one<{ latest: number }>(
        `SELECT coalesce(max(setting::int), 0) AS latest FROM pg_file_settings WHERE name = '${noted}'`,
      );
      if (latest > term) throw new TermPassedError(this.#id, term, latest);
      if (isOurs) break;
      await this.#one(`SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory'
        AND classid = ${lock.space} AND objid = ${lock.key} AND pid <> pg_backend_pid()`);
      await sleep(stepMs, signal);
    }
    // A setting that nobody has defined must be known to the session before it can be written
    await this.#wire.client.query(`SET ${noted} = '${term}'`);
    await this.#set(noted, String(term));
  }

  #endSessions(which: string): Promise<unknown> {
    return this.#one(`SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
      WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND ${which}`);
  }

  async #set(name: string, value: string): Promise<void> {
    await this.#wire.client.query(`ALTER SYSTEM SET ${name} = '${value.replaceAll("'", "''")}'`);
    await this.#one('SELECT pg_reload_conf()');
  }

  async #refuseWrites(): Promise<void> {
    if (this.#isReadOnly) return;
    await this.#set('default_transaction_read_only', 'on');
    this.#isReadOnly = true;
  }

  async #look(): Promise<LookRow> {
    return this.#settings.known(await this.#one<LookRow>(look));
  }

  async #one<R>(statement: string): Promise<R> {
    const { rows } = await this.#wire.client.query(statement);
    return rows[0] as R;
  }
}
