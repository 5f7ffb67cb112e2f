import type { Clock } from '@ashlar/core';
import type { Executor, TransactionScope } from '@ashlar/replica-failover/executor';
import { CrossShardError } from '../errors/routing.ts';
import type { ClaimsRun } from '../indexes/claims-run.ts';
import type { ShardKey } from '../keys/key-column.ts';
import type { Routes } from '../map/routes.ts';
import type { Condition, Owned } from '../tables/statement.ts';
import type { Table } from '../tables/table-of.ts';

/** Where the statements of tables run: the shards of a router, or the one shard of a transaction. */
export interface Shards<C> {
  /** The map as it is now. @throws NotReadyError */
  routes(): Routes;
  /** The one shard of these keys, as an executor that goes with them. */
  on(keys: readonly ShardKey[]): Executor<C>;
  /** A shard by its name. */
  shard(name: string): Executor<C>;
  /** Whether no slot has changed hands since that map, as far as a read may go by it. @throws the store's error */
  isCurrent(routes: Routes): Promise<boolean>;
  /** Equal for tables of one router: rows of one key are on one shard. */
  readonly source: unknown;
  /** The versions of reference tables. Not there within a transaction. */
  readonly references?: {
    /** That of these shards, as far as they can be reached; undefined when they cannot be brought to one. Rejects when none can. */
    common(table: string, shards: readonly string[]): Promise<number | undefined>;
    /** That of the shard of this client. */
    versionOn(client: C, table: string): Promise<number>;
  };
  /** For how long a write of an index may be under way before its process is taken for dead. */
  readonly inDoubtMs?: number;
  /** Runs work in a transaction for keys that may be on several shards. Not there within one. */
  readonly together?: <R>(
    keys: readonly ShardKey[],
    work: (shards: Shards<C>) => Promise<R>,
    scope?: TransactionScope,
  ) => Promise<R>;
  /** Whether all statements run in one transaction already. */
  readonly isTransaction: boolean;
  /** The claims of what is written to tables with indexes, in a transaction. Not there outside of one. */
  readonly claims?: ClaimsRun;
  /** Times the waits of a read. Not there in a transaction, where none waits. */
  readonly clock?: Clock;
}

/** The slots that the map gives to the shard. */
export function ownedBy(routes: Routes, shard: string): Owned {
  return { slots: routes.slots, slices: routes.slicesOf(shard) };
}

/** The names of the shards that have slots, in order. */
export function shardsOf({ map }: Routes): readonly string[] {
  return [...new Set(map.ranges.map(({ shard }) => shard))].sort();
}

/** Keys that a list in a condition on a key of several columns may stand for. */
const mostKeys = 1_000;

/** The keys that the conditions leave; undefined when they do not say. */
export function keysIn(table: Table, where: readonly Condition[]): readonly ShardKey[] | undefined {
  if (table.isReference) return undefined;
  let rows: readonly Readonly<Record<string, unknown>>[] = [{}];
  for (const column of table.spec.key) {
    const values = valuesOf(table, column, where);
    if (values === undefined || values.length * rows.length > mostKeys) return undefined;
    rows = rows.flatMap(row => values.map(value => ({ ...row, [column]: value })));
  }
  return rows.map(row => table.keyOf(row));
}

/** The values that all conditions on the column leave. */
function valuesOf(table: Table, column: string, where: readonly Condition[]): readonly unknown[] | undefined {
  const { identity } = table.type(column);
  let left: ReadonlyMap<string, unknown> | undefined;
  for (const condition of where) {
    if (condition.column !== column || (condition.op !== '=' && condition.op !== 'in')) continue;
    const values: readonly unknown[] = condition.op === '=' ? [condition.value] : condition.value;
    const named = values.map(value => [identity(value), value] as const);
    left = new Map(left === undefined ? named : named.filter(([id]) => left!.has(id)));
  }
  return left && [...left.values()];
}

/** The one key that a statement is about, or one of several that are on one shard. @throws CrossShardError */
export function oneShard(routes: Routes, keys: readonly ShardKey[], what: string, advice: string): ShardKey {
  const names = new Set(keys.map(key => routes.of(key).shard));
  if (names.size === 1) return keys[0]!;
  throw new CrossShardError(
    `${what} is for ${names.size === 0 ? 'no key' : `keys on ${names.size} shards`}`,
    advice,
  );
}
