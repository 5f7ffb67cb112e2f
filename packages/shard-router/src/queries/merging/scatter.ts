import { onAbort } from '@ashlar/core';
import { isAtOnce } from '../../clients/batches.ts';
import type { Row } from '../../columns/column.ts';
import { CollationError, ShardFailedError } from '../../errors/statements.ts';
import type { Ranking } from './ranking.ts';
import { type CursorOptions, ShardCursor, type ShardQuery } from './shard-cursor.ts';

/** A shard whose rows a partial answer lacks. */
export interface MissingShard {
  readonly shard: string;
  readonly error: unknown;
}

/** Is told of the cursors whose connections look-ups may use. */
export interface Lending {
  lends<C>(cursors: readonly ShardCursor<C>[]): void;
}

export interface Scatter<C> extends CursorOptions {
  readonly parts: readonly ShardQuery<C>[];
  /** The order of the rows, which each part has; undefined for none. */
  readonly compare: ((a: Row, b: Row) => number) | undefined;
  /** Must know the rows before they are compared, where the order has collations. */
  readonly ranking?: Ranking | undefined;
  readonly limit: number | undefined;
  /** Takes note of a shard that failed; throws when the query must fail with it. */
  onShardError(missing: MissingShard): void;
  /** Whether the parts are still all there is, once each has its snapshot; otherwise nothing is yielded. */
  isCurrent(): boolean | Promise<boolean>;
  readonly lending?: Lending | undefined;
}

/** Where the merge stands in the rows of one shard. */
interface Head<C> {
  readonly cursor: ShardCursor<C>;
  rows: readonly Row[];
  at: number;
}

/**
 * Runs the parts, which are in the order of the names of their shards, side by side and yields their rows merged, in batches. No shard is more than two batches ahead of what was taken.
 * However it ends, every connection has been given back when it has. Returns whether the parts were current.
 */
export async function* scatter<C>(query: Scatter<C>): AsyncGenerator<readonly Row[], boolean> {
  const { signal } = query.scope;
  signal?.throwIfAborted();
  const cursors: ShardCursor<C>[] = [];
  const close = () => Promise.all(cursors.map(cursor => cursor.close()));
  const unlink = signal && onAbort(signal, close);
  try {
    for (const part of query.parts) {
      const cursor = new ShardCursor(part, query);
      cursors.push(cursor);
      // Who has the connection of one shard and waits for that of the next must not wait for somebody who does the same in another order
      if (!query.isInTransaction && !isAtOnce(part.statement, query.batchRows)) await cursor.begun();
      signal?.throwIfAborted();
    }
    query.lending?.lends(cursors);
    const heads = await Promise.all(cursors.map(cursor => first(query, cursor)));
    signal?.throwIfAborted();
    if (!(await query.isCurrent())) return false;
    for await (const rows of merge(query, heads)) {
      signal?.throwIfAborted();
      yield rows;
    }
    signal?.throwIfAborted();
    return true;
  } finally {
    unlink?.();
    await close();
  }
}

async function first<C>(query: Scatter<C>, cursor: ShardCursor<C>): Promise<Head<C>> {
  const head = { cursor, rows: [], at: 0 };
  await refill(query, head);
  return head;
}

/** @returns whether there are rows */
async function refill<C>(query: Scatter<C>, head: Head<C>): Promise<boolean> {
  head.at = 0;
  head.rows = [];
  try {
    head.rows = (await head.cursor.next()) ?? [];
  } catch (error) {
    query.onShardError({ shard: head.cursor.shard, error });
  }
  return head.rows.length > 0;
}

async function* merge<C>(query: Scatter<C>, all: readonly Head<C>[]): AsyncGenerator<readonly Row[]> {
  const { compare = () => 0, limit = Number.POSITIVE_INFINITY } = query;
  const heads = all.filter(head => head.rows.length > 0);
  let left = limit;
  await rank(query, heads);
  while (heads.length > 0 && left > 0) {
    const rows: Row[] = [];
    let spent: Head<C> | undefined;
    while (spent === undefined && rows.length < left) {
      let least = heads[0]!;
      for (let i = 1; i < heads.length; i++) {
        const head = heads[i]!;
        if (compare(head.rows[head.at]!, least.rows[least.at]!) < 0) least = head;
      }
      rows.push(least.rows[least.at++]!);
      if (least.at === least.rows.length) spent = least;
    }
    left -= rows.length;
    yield rows;
    if (left === 0 || spent === undefined) continue;
    if (await refill(query, spent)) await rank(query, heads);
    else heads.splice(heads.indexOf(spent), 1);
  }
}

/** Has the rows that are here ranked, by a shard that is still there. */
async function rank<C>({ ranking, scope }: Scatter<C>, heads: readonly Head<C>[]): Promise<void> {
  if (ranking === undefined || heads.length < 2) return;
  const work = ranking.of(heads.map(({ rows, at }) => rows.slice(at)));
  if (work === undefined) return;
  let failure: MissingShard | undefined;
  const ended: ShardCursor<C>[] = [];
  for (const { cursor } of heads) {
    try {
      if ((await cursor.ask(client => work(cursor.shard, client))) !== undefined) return;
      ended.push(cursor);
    } catch (error) {
      failure ??= { shard: cursor.shard, error };
    }
    scope.signal?.throwIfAborted();
  }
  // None of them has a connection any more: so nobody waits for one while he keeps another
  for (const { shard, executor } of ended) {
    try {
      return await executor.read(client => work(shard, client), scope);
    } catch (error) {
      failure ??= { shard, error };
    }
    scope.signal?.throwIfAborted();
  }
  throw failed(failure!);
}

/** Names the shard in an error that came while several ran. */
export function failed({ shard, error }: MissingShard): ShardFailedError | CollationError {
  const isOfAll = error instanceof ShardFailedError || error instanceof CollationError;
  return isOfAll ? error : new ShardFailedError(shard, error);
}
