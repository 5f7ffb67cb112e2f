import { Backoff, sleep } from '@ashlar/core';
import { InvalidIndexError } from '../../../errors/migrations.ts';
import type { Obstacle } from '../../../moves/obstacle.ts';
import { prefix, schema } from '../moves/names.ts';
import type { ShardSession } from '../moves/sessions/session.ts';
import type { CheckedMigration } from './migration.ts';

/** The advisory lock of whoever migrates a database. */
const lock = '1095976013, 1';
/** Somebody holds what is needed, or two were in each other's way. */
const busyCodes: ReadonlySet<string> = new Set(['55P03', '40P01', '40001']);

export interface MigratorLimits {
  readonly lockTimeoutMs: number;
  readonly attempts: number;
}

interface Applied {
  readonly name: string;
  readonly sql: string;
  readonly isDone: boolean;
}

/** What a database has of a list of migrations. */
export class ShardMigrator {
  readonly #session: ShardSession;
  readonly #limits: MigratorLimits;
  readonly #signal: AbortSignal;

  constructor(session: ShardSession, limits: MigratorLimits, signal: AbortSignal) {
    this.#session = session;
    this.#limits = limits;
    this.#signal = signal;
  }

  /** What stands in the way. Changes nothing. */
  async obstacles(migrations: readonly CheckedMigration[]): Promise<readonly Obstacle[]> {
    const { shard } = this.#session;
    const [row] = await this.#run<{ isReplica: boolean; moves: readonly string[] }>(
      `SELECT pg_is_in_recovery() AS "isReplica", (SELECT coalesce(jsonb_agg(name ORDER BY name), '[]') FROM (
         SELECT pubname AS name FROM pg_publication WHERE starts_with(pubname, '${prefix}')
         UNION SELECT subname FROM pg_subscription WHERE starts_with(subname, '${prefix}')
           AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())) found) AS moves`,
    );
    const { isReplica, moves } = row!;
    const faults: Obstacle[] = [];
    if (isReplica) faults.push({ kind: 'replica', shard, words: 'it is a standby: connect to the primary' });
    if (moves.length > 0) {
      const words = `rows move here (${moves.join(', ')}): finish these moves, or undo them, before tables change`;
      faults.push({ kind: 'moving', shard, words });
    }
    const known = new Map((await this.#applied()).map(each => [each.name, each]));
    for (const { name, sql } of migrations) {
      const applied = known.get(name);
      if (applied === undefined || applied.sql === sql) continue;
      const words = `the migration ${name} has run here with other SQL: give the change a migration of its own`;
      faults.push({ kind: 'changed_migration', shard, words });
    }
    return faults;
  }

  /** The names of those that have run. */
  async done(): Promise<readonly string[]> {
    return (await this.#applied()).filter(({ isDone }) => isDone).map(({ name }) => name);
  }

  /** Runs what has not run, in order. One process at a time: others wait. */
  async run(migrations: readonly CheckedMigration[], onApplied: (name: string) => void): Promise<void> {
    await this.#lock();
    await this.#create();
    for (const migration of migrations) {
      // Read under the lock: whoever had it before has done some
      const applied = (await this.#applied()).find(({ name }) => name === migration.name);
      if (applied?.isDone === true) continue;
      await this.#tried(() =>
        migration.transaction ? this.#inTransaction(migration) : this.#outside(migration),
      );
      onApplied(migration.name);
    }
  }

  async #inTransaction({ name, sql }: CheckedMigration): Promise<void> {
    await this.#session.transaction(this.#signal, async () => {
      await this.#run(`SET LOCAL lock_timeout = ${Math.max(1, Math.round(this.#limits.lockTimeoutMs))}`);
      await this.#run(sql);
      await this.#note(name, sql, true);
    });
  }

  /** What cannot be in a transaction is noted before and after: in between, nobody knows whether it has run. */
  async #outside(migration: CheckedMigration): Promise<void> {
    const { name, sql, index } = migration;
    const isBegun = (await this.#applied()).some(each => each.name === name);
    if (isBegun && (await this.#madeIndex(migration))) return void (await this.#note(name, sql, true));
    await this.#note(name, sql, false);
    // A wait for a concurrent build holds up nobody, and what it has left when it gives up is dropped
    const waitMs = index === undefined ? Math.max(1, Math.round(this.#limits.lockTimeoutMs)) : 0;
    await this.#run(`SET lock_timeout = ${waitMs}`);
    await this.#run(sql);
    await this.#run('SET lock_timeout = 0');
    if (index !== undefined && !(await this.#madeIndex(migration))) throw new InvalidIndexError(index.name);
    await this.#note(name, sql, true);
  }

  /** Whether the index is there; a half-built one of an attempt before is dropped. */
  async #madeIndex({ index }: CheckedMigration): Promise<boolean> {
    if (index === undefined) return false;
    const [row] = await this.#run<{ at: string; isValid: boolean }>(
      `SELECT i.indexrelid::regclass::text AS at, i.indisvalid AS "isValid" FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
       WHERE i.indrelid = to_regclass($1) AND c.relname = $2`,
      [index.table, index.name],
    );
    if (row === undefined || row.isValid) return row !== undefined;
    await this.#run(`DROP INDEX CONCURRENTLY IF EXISTS ${row.at}`);
    return false;
  }

  async #note(name: string, sql: string, isDone: boolean): Promise<void> {
    await this.#run(
      `INSERT INTO ${schema}.migration AS m (name, sql, done_at) VALUES ($1, $2, CASE WHEN $3 THEN clock_timestamp() END)
       ON CONFLICT (name) DO UPDATE SET done_at = excluded.done_at WHERE m.done_at IS NULL`,
      [name, sql, isDone],
    );
  }

  async #applied(): Promise<readonly Applied[]> {
    const [{ found }] = (await this.#run(
      `SELECT to_regclass('${schema}.migration') IS NOT NULL AS found`,
    )) as [{ found: boolean }];
    if (!found) return [];
    return this.#run(
      `SELECT name, sql, done_at IS NOT NULL AS "isDone" FROM ${schema}.migration ORDER BY done_at, name`,
    );
  }

  async #create(): Promise<void> {
    await this.#run(`CREATE SCHEMA IF NOT EXISTS ${schema}`);
    await this.#run(
      `CREATE TABLE IF NOT EXISTS ${schema}.migration (name text PRIMARY KEY, sql text NOT NULL, begun_at timestamptz NOT NULL
       DEFAULT clock_timestamp(), done_at timestamptz)`,
    );
  }

  /** Asks again and again: a statement that waits for the lock has a snapshot, and a concurrent build of an index waits for that. */
  async #lock(): Promise<void> {
    const pauses = new Backoff({ firstMs: 20, maxMs: 500 });
    for (;;) {
      const [row] = await this.#run<{ locked: boolean }>(`SELECT pg_try_advisory_lock(${lock}) AS locked`);
      if (row!.locked) return;
      await sleep(pauses.nextMs(), this.#signal);
    }
  }

  async #tried(work: () => Promise<void>): Promise<void> {
    const pauses = new Backoff({ firstMs: 50, maxMs: 2_000 });
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        const isBusy = busyCodes.has((error as { code?: string }).code ?? '');
        if (!isBusy || attempt >= this.#limits.attempts) throw error;
      }
      // Whoever waits behind a lock that we wait for is let through
      await sleep(pauses.nextMs(), this.#signal);
    }
  }

  // biome-ignore lint/suspicious/noExplicitAny: rows of any statement
  #run<R = any>(text: string, values: unknown[] = []): Promise<R[]> {
    return this.#session.run<R>(text, values, this.#signal);
  }
}
