import {
  durationMs,
  functionOf,
  integer,
  number,
  type Rule,
  type RulesFor,
  readOptions,
  refused,
  required,
  text,
} from '@ashlar/core';
import type { MoveBackend } from '../moves/move-backend.ts';
import { type MigratedShard, Migrations } from './postgres/migrations/migrations.ts';
import { PostgresMoves } from './postgres/moves/postgres-moves.ts';
import type { PgClientLike } from './postgres/moves/sessions/client-like.ts';
import type { AdministeredShard } from './postgres/moves/sessions/workers.ts';

export { indexTables } from './postgres/index-tables.ts';
export { keyGuards } from './postgres/key-guards.ts';
export type { Drift } from './postgres/migrations/drift.ts';
export type { Migration } from './postgres/migrations/migration.ts';
export type { MigratedShard, Migrations, ShardReport } from './postgres/migrations/migrations.ts';
export type { PgClientLike } from './postgres/moves/sessions/client-like.ts';
export type { AdministeredShard } from './postgres/moves/sessions/workers.ts';

export interface PostgresMovesOptions {
  /** The shards by the names that the router has for them. */
  readonly shards: Readonly<Record<string, AdministeredShard>>;
  /**
   * The part of the time in which rows are copied, from 0.01 to 1; the rest of it the processors and disks of source and target are left
   * to those who write and read. With 1, the copy is as fast as it can be. Default: 0.25.
   */
  readonly copyShare?: number;
  /** How fast rows are copied at most, in rows a second of all tables together. Default: no limit but `copyShare`. */
  readonly copyRowsPerSecond?: number;
}

const replication: Rule<AdministeredShard['replication'] | undefined> = (value, option) =>
  typeof value === 'function' ? functionOf<() => string>()(value, option) : text()(value, option);

const shardRules = {
  client: required(
    functionOf<() => PgClientLike | Promise<PgClientLike>>('write `() => new pg.Client(…)`'),
    'write `() => new pg.Client(…)`',
  ),
  replication: required(
    replication,
    'write `host=… port=… user=… dbname=…`, as the other servers reach it, or a function',
  ),
} satisfies RulesFor<AdministeredShard>;

const shards: Rule<PostgresMovesOptions['shards']> = (value, option) => {
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  if (entries.length === 0) throw refused(option, 'an object of shards by their names', value);
  return Object.fromEntries(
    entries.map(([name, shard]) => [
      name,
      readOptions(`\`${option}.${name}\``, shard, shardRules, `${option}.${name}.`),
    ]),
  );
};

const rules = {
  shards,
  copyShare: number(0.25, { min: 0.01, max: 1 }),
  copyRowsPerSecond: number(undefined, { min: 1 }),
} satisfies RulesFor<PostgresMovesOptions>;

/**
 * Moves slots between databases of PostgreSQL 15 or later: a copy that is followed by logical replication, a fence of
 * triggers, and the same backwards until the move is finished.
 *
 * @throws InvalidOptionError
 */
export function postgresMoves(options: PostgresMovesOptions): MoveBackend & { close(): Promise<void> } {
  const { shards, copyShare, copyRowsPerSecond } = readOptions('postgresMoves', options, rules);
  return new PostgresMoves(shards, { share: copyShare, rowsPerSecond: copyRowsPerSecond });
}

export interface PostgresMigrationsOptions {
  /** The shards; those of `postgresMoves` will do. */
  readonly shards: Readonly<Record<string, MigratedShard>>;
  /** How many shards are migrated at a time. Default: 1. */
  readonly atOnce?: number;
  /** How long a statement waits for a lock, and all who come after it, before it lets them pass, in milliseconds. Default: 1 000. */
  readonly lockTimeoutMs?: number;
  /** How often a migration is tried that does not get its locks. Default: 20. */
  readonly attempts?: number;
}

const migrated: Rule<PostgresMigrationsOptions['shards']> = (value, option) => {
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  if (entries.length === 0) throw refused(option, 'an object of shards by their names', value);
  for (const [name, shard] of entries) shardRules.client(shard?.client, `${option}.${name}.client`);
  return value as PostgresMigrationsOptions['shards'];
};

const migrationRules = {
  shards: migrated,
  atOnce: integer(1, { min: 1 }),
  lockTimeoutMs: durationMs(1_000, { min: 1 }),
  attempts: integer(20, { min: 1 }),
} satisfies RulesFor<PostgresMigrationsOptions>;

/**
 * Runs migrations of the schema on all shards, each once, with a report per shard; and says where their schemas differ.
 *
 * @throws InvalidOptionError
 */
export function postgresMigrations(options: PostgresMigrationsOptions): Migrations {
  return new Migrations(readOptions('postgresMigrations', options, migrationRules));
}
