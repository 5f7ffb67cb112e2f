import {
  MigrationFailedError,
  MigrationRefusedError,
  MigrationsClosedError,
} from '../../../errors/migrations.ts';
import type { Obstacle } from '../../../moves/obstacle.ts';
import type { PgClientLike } from '../moves/sessions/client-like.ts';
import { ShardSession, vacuumsGiveWay } from '../moves/sessions/session.ts';
import { type Drift, driftOf, type SchemaRow, schemaOf } from './drift.ts';
import { type CheckedMigration, checkedMigrations, type Migration } from './migration.ts';
import { type MigratorLimits, ShardMigrator } from './shard-migrator.ts';

export interface MigratedShard {
  /** Makes a client of the primary that is not connected, of whoever owns the tables. */
  readonly client: () => PgClientLike | Promise<PgClientLike>;
}

export interface MigrationsSettings extends MigratorLimits {
  readonly shards: Readonly<Record<string, MigratedShard>>;
  readonly atOnce: number;
}

/** What became of the migrations at one shard. */
export interface ShardReport {
  readonly shard: string;
  /** `waiting`: not begun, since another shard has failed. */
  readonly state: 'done' | 'failed' | 'waiting';
  /** Run now, in order. */
  readonly applied: readonly string[];
  /** Not run. */
  readonly pending: readonly string[];
  readonly error?: unknown;
}

/** What any role may set. */
const settings = `SET application_name = 'ashlar-shard-router'; SET search_path = "$user", public; SET statement_timeout = 0;
  SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET client_min_messages = warning; ${vacuumsGiveWay}`;

/** Runs migrations of the schema on all shards, and says where schemas differ. */
export class Migrations implements AsyncDisposable {
  readonly #settings: MigrationsSettings;
  readonly #end = new AbortController();
  readonly #running = new Set<Promise<unknown>>();

  constructor(settings: MigrationsSettings) {
    this.#settings = settings;
  }

  /**
   * Runs on each shard, in the order of the names, what has not run there. Each database notes what has run, in the transaction of the
   * migration; so after a crash, or a failure, it goes on where it was, in any process. Two processes at once: one does, the other waits.
   *
   * @throws InvalidOptionError, MigrationRefusedError before anything is touched
   * @throws MigrationFailedError with the report, when a shard has failed; those not begun are left as they are
   */
  run(migrations: readonly Migration[], signal?: AbortSignal): Promise<readonly ShardReport[]> {
    return this.#tracked(signal, async both => {
      const checked = checkedMigrations(migrations);
      const obstacles = await this.#obstacles(checked, both);
      if (obstacles.length > 0) throw new MigrationRefusedError(obstacles);
      const reports = await this.#all(checked, both);
      if (reports.some(({ state }) => state !== 'done')) throw new MigrationFailedError(reports);
      return reports;
    });
  }

  /** What has not run where. Changes nothing. */
  pending(
    migrations: readonly Migration[],
    signal?: AbortSignal,
  ): Promise<Readonly<Record<string, readonly string[]>>> {
    return this.#tracked(signal, async both => {
      const checked = checkedMigrations(migrations);
      const pending: Record<string, readonly string[]> = {};
      for (const shard of this.#names) {
        const done = await this.#on(shard, both, migrator => migrator.done());
        pending[shard] = checked.flatMap(({ name }) => (done.includes(name) ? [] : [name]));
      }
      return pending;
    });
  }

  /** Where columns, types, defaults, indexes, constraints or collations of the shards differ. Changes nothing. */
  drift(signal?: AbortSignal): Promise<readonly Drift[]> {
    return this.#tracked(signal, async both => {
      const schemas: Record<string, readonly SchemaRow[]> = {};
      for (const shard of this.#names)
        schemas[shard] = await this.#session(shard, both, session => schemaOf(session, undefined, both));
      return driftOf(schemas);
    });
  }

  /** Ends what runs, which rejects with MigrationsClosedError: what is not committed is not done. */
  async close(): Promise<void> {
    this.#end.abort(new MigrationsClosedError());
    await Promise.allSettled(this.#running);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get #names(): readonly string[] {
    return Object.keys(this.#settings.shards).sort();
  }

  /** Of all shards: one that cannot be reached is told before the others are changed. */
  async #obstacles(
    migrations: readonly CheckedMigration[],
    signal: AbortSignal,
  ): Promise<readonly Obstacle[]> {
    const found = await Promise.all(
      this.#names.map(async shard => {
        try {
          return await this.#on(shard, signal, migrator => migrator.obstacles(migrations));
        } catch (error) {
          signal.throwIfAborted();
          return [{ kind: 'unreachable', shard, words: `it does not answer: ${(error as Error).message}` }];
        }
      }),
    );
    return found.flat();
  }

  async #all(migrations: readonly CheckedMigration[], signal: AbortSignal): Promise<readonly ShardReport[]> {
    const left = [...this.#names];
    const reports = new Map<string, ShardReport>();
    let hasFailed = false;
    const worker = async () => {
      for (;;) {
        const shard = left.shift();
        if (shard === undefined || hasFailed) return;
        const report = await this.#one(shard, migrations, signal);
        reports.set(shard, report);
        hasFailed ||= report.state === 'failed';
      }
    };
    await Promise.all(Array.from({ length: this.#settings.atOnce }, worker));
    const waiting = { state: 'waiting', applied: [], pending: migrations.map(({ name }) => name) } as const;
    return this.#names.map(shard => reports.get(shard) ?? { shard, ...waiting });
  }

  async #one(
    shard: string,
    migrations: readonly CheckedMigration[],
    signal: AbortSignal,
  ): Promise<ShardReport> {
    const applied: string[] = [];
    let done: readonly string[] = [];
    try {
      await this.#on(shard, signal, async migrator => {
        done = await migrator.done();
        await migrator.run(migrations, name => applied.push(name));
      });
      return { shard, state: 'done', applied, pending: [] };
    } catch (error) {
      const pending = migrations
        .map(({ name }) => name)
        .filter(name => !applied.includes(name) && !done.includes(name));
      return { shard, state: 'failed', applied, pending, error };
    }
  }

  #on<T>(shard: string, signal: AbortSignal, work: (migrator: ShardMigrator) => Promise<T>): Promise<T> {
    return this.#session(shard, signal, session => work(new ShardMigrator(session, this.#settings, signal)));
  }

  async #session<T>(
    shard: string,
    signal: AbortSignal,
    work: (session: ShardSession) => Promise<T>,
  ): Promise<T> {
    const session = await ShardSession.look(
      shard,
      await this.#settings.shards[shard]!.client(),
      signal,
      settings,
    );
    try {
      return await work(session);
    } finally {
      session.end();
    }
  }

  async #tracked<T>(signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const signals = [this.#end.signal, ...(signal === undefined ? [] : [signal])];
    const running = work(AbortSignal.any(signals));
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }
}
