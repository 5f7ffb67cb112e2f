import type { ReadScope } from '@ashlar/replica-failover/executor';
import { execute } from '../../clients/client.ts';
import type { Row } from '../../columns/column.ts';
import { CrossShardError, MapChangedError } from '../../errors/routing.ts';
import { CollationError, MixedVersionsError } from '../../errors/statements.ts';
import type { ShardKey } from '../../keys/key-column.ts';
import type { Routes } from '../../map/routes.ts';
import { promisesNothing } from '../../running/guarded.ts';
import { checkScope, type QueryScope, type StreamScope } from '../../running/scopes.ts';
import { byOrder } from '../../tables/order.ts';
import { groupOrder, type Query } from '../../tables/statement.ts';
import { keysIn, ownedBy, type Shards, shardsOf } from '../shards.ts';
import { Ranking } from './ranking.ts';
import { failed, type Lending, type MissingShard, scatter } from './scatter.ts';
import type { ShardQuery } from './shard-cursor.ts';

export type { QueryScope, StreamScope };

/** Rows, and the shards that did not answer; none, unless `onShardError` is `partial`. */
export type Rows<R> = readonly R[] & { readonly missing: readonly MissingShard[] };

/** A query, and whether it may ask all shards. */
export interface Asked<C> {
  readonly shards: Shards<C>;
  readonly query: Query;
  readonly isEverywhere: boolean;
  /** Set where it is a part of a larger query, which goes on when all of its shards fail. */
  readonly isPart?: boolean;
  /** Is told whose connections look-ups may use while the rows stream. */
  readonly lending?: Lending;
}

/** How often a query begins anew because the map has changed before each shard had its snapshot. */
const mostAttempts = 10;

export function rowsWith<R>(rows: readonly R[], missing: readonly MissingShard[]): Rows<R> {
  return Object.defineProperty([...rows], 'missing', { value: missing }) as unknown as Rows<R>;
}

/** All rows. One shard is asked for them at once. @throws CrossShardError, ShardFailedError, MapChangedError */
export async function gatherAll<C>(asked: Asked<C>, scope: QueryScope): Promise<Rows<Row>> {
  const { shards, query } = asked;
  const settings = settingsOf(scope, 'query');
  const keys = keysOf(asked);
  const key = keys && onlyOf(shards.routes(), keys);
  if (key !== undefined) {
    const { rows } = await shards.on(keys!).read(client => execute(client, query), settings.scope);
    return rowsWith(rows, []);
  }
  const missing: MissingShard[] = [];
  const all: Row[] = [];
  for await (const rows of gather(asked, scope, missing)) for (const row of rows) all.push(row);
  return rowsWith(all, missing);
}

/**
 * The rows in the order of the query, in batches as they come. Each shard has its snapshot before the first is yielded, and the map is the
 * same then as it was before: so no row that moves is missed or yielded twice.
 */
export async function* gather<C>(
  asked: Asked<C>,
  given: StreamScope,
  missing: MissingShard[],
): AsyncGenerator<readonly Row[]> {
  const { shards, query } = asked;
  const { batchRows, isPartial, scope } = settingsOf(given, 'stream');
  const keys = keysOf(asked);
  const limit = query.kind === 'select' ? query.limit : undefined;
  if (keys?.length === 0 || limit === 0) return;
  const orderBy = query.kind === 'select' ? query.orderBy : groupOrder(query);
  // What another query has noted stays
  const noted = missing.length;
  for (let attempt = 0; attempt < mostAttempts; attempt++) {
    const routes = shards.routes();
    const { parts: found, isOneVersion } = await versioned(asked, partsOf(asked, routes, keys));
    const ranking = found.length > 1 ? Ranking.of(orderBy) : undefined;
    const parts = ranking === undefined ? found : found.map(part => ranking.in(part));
    missing.length = noted;
    const isCurrent = yield* scatter({
      parts,
      // The rows of one shard are compared with none
      compare: parts.length > 1 ? byOrder(query.table, orderBy, ranking?.collations) : undefined,
      ranking,
      limit,
      batchRows,
      isInTransaction: shards.isTransaction,
      scope,
      lending: asked.lending,
      lends: asked.lending && (isPartial ? 'partial' : 'fail'),
      onShardError(failure) {
        if (parts.length === 1 && asked.isPart !== true) throw failure.error;
        if (failure.error instanceof CollationError) throw failure.error;
        if (!isPartial) throw failed(failure);
        missing.push(failure);
        // An answer of nobody is none
        if (missing.length - noted === parts.length && asked.isPart !== true) throw failed(failure);
      },
      isCurrent() {
        ranking?.check();
        return isOneVersion() && (promisesNothing(scope) || shards.isCurrent(routes));
      },
    });
    if (isCurrent) return;
  }
  throw new MapChangedError(mostAttempts);
}

/** Runs work on one of the shards of a query, on the next where one fails. @throws ShardFailedError, CollationError */
export async function onOneOf<C>(
  asked: Asked<C>,
  given: QueryScope,
  work: (shard: string, client: C) => Promise<void>,
): Promise<void> {
  const { scope } = settingsOf(given, 'query');
  let failure: MissingShard | undefined;
  for (const { shard, executor } of partsOf(asked, asked.shards.routes(), keysOf(asked))) {
    try {
      return await executor.read(client => work(shard, client), scope);
    } catch (error) {
      failure ??= { shard, error };
    }
    scope.signal?.throwIfAborted();
  }
  if (failure !== undefined) throw failed(failure);
}

interface Settings {
  readonly batchRows: number;
  readonly isPartial: boolean;
  /** What the executors are told. */
  readonly scope: ReadScope;
}

/** @throws InvalidOptionError */
function settingsOf(given: StreamScope, kind: 'query' | 'stream'): Settings {
  checkScope(kind, given);
  const { batchRows = 500, onShardError, ...scope } = given;
  return { batchRows, isPartial: onShardError === 'partial', scope };
}

/** The keys that the query is about; undefined for all. @throws CrossShardError */
function keysOf<C>({ query, isEverywhere }: Asked<C>): readonly ShardKey[] | undefined {
  const keys = keysIn(query.table, query.where);
  if (keys !== undefined || isEverywhere) return keys;
  throw new CrossShardError(
    `a query of ${query.table.name} has no shard key in its conditions`,
    'say `.everywhere()` to ask all shards',
  );
}

/** One key for all, when one shard has them. */
function onlyOf(routes: Routes, keys: readonly ShardKey[]): ShardKey | undefined {
  return new Set(keys.map(key => routes.of(key).shard)).size === 1 ? keys[0] : undefined;
}

function partsOf<C>(
  { shards, query }: Asked<C>,
  routes: Routes,
  keys: readonly ShardKey[] | undefined,
): readonly ShardQuery<C>[] {
  const key = keys && onlyOf(routes, keys);
  if (key !== undefined)
    return [{ shard: routes.of(key).shard, executor: shards.shard(routes.of(key).shard), statement: query }];
  if (query.table.isReference) {
    const [shard] = shardsOf(routes);
    return [{ shard: shard!, executor: shards.shard(shard!), statement: query }];
  }
  const names =
    keys === undefined ? shardsOf(routes) : [...new Set(keys.map(each => routes.of(each).shard))].sort();
  return names.map(shard => ({
    shard,
    executor: shards.shard(shard),
    statement: { ...query, owned: ownedBy(routes, shard) },
  }));
}

/**
 * The parts, with shards that have one version of the reference tables that are joined, and whether that was so in all snapshots. The
 * connections of the parts say so: whoever had them and waited for others might wait for those who do the same.
 *
 * @throws MixedVersionsError
 */
async function versioned<C>(
  { shards, query }: Asked<C>,
  parts: readonly ShardQuery<C>[],
): Promise<{ readonly parts: readonly ShardQuery<C>[]; isOneVersion(): boolean }> {
  const { references } = shards;
  const tables = (query.joins ?? []).filter(({ table }) => table.isReference).map(({ table }) => table.name);
  const names = [...new Set(tables)];
  if (references === undefined || names.length === 0 || parts.length < 2)
    return { parts, isOneVersion: () => true };
  const common: number[] = [];
  for (const name of names) {
    const version = await references.common(
      name,
      parts.map(({ shard }) => shard),
    );
    if (version === undefined) throw new MixedVersionsError(name);
    common.push(version);
  }
  let isOne = true;
  const look = async (client: C) => {
    for (const [i, name] of names.entries())
      if ((await references.versionOn(client, name)) !== common[i]) isOne = false;
  };
  // The same before and after: so each snapshot has it
  return { parts: parts.map(part => ({ ...part, look })), isOneVersion: () => isOne };
}
