import { withDeadline } from '@ashlar/core';
import type { Executor } from '@ashlar/replica-failover/executor';
import { ShardTimeoutError } from '../../errors/statements.ts';
import type { Lending } from '../merging/scatter.ts';
import type { ShardCursor } from '../merging/shard-cursor.ts';
import type { Shards } from '../shards.ts';

/** Milliseconds that a look-up has which names no time: as long as with a replica set. */
const defaultMs = 10_000;

/**
 * The connections of a stream, for its look-ups: whoever kept one of a shard and waited for a second might wait for those who do the same.
 * Where the stream has none, or has none any more, a look-up gets its own.
 */
export class Lender implements Lending {
  #cursors: ReadonlyMap<string, unknown> = new Map();

  /** The cursors of the stream, from now on. */
  lends<C>(cursors: readonly ShardCursor<C>[]): void {
    this.#cursors = new Map(cursors.map(cursor => [cursor.shard, cursor]));
  }

  /** The shards, for reads on these connections. */
  of<C>(shards: Shards<C>): Shards<C> {
    if (shards.isTransaction) return shards;
    return { ...shards, shard: name => this.#executor(name, shards.shard(name)) };
  }

  #executor<C>(name: string, executor: Executor<C>): Executor<C> {
    return {
      ...executor,
      read: async (work, scope = {}) => {
        const { timeoutMs = defaultMs, signal } = scope;
        const cursor = this.#cursors.get(name) as ShardCursor<C> | undefined;
        const late = () => new ShardTimeoutError(name, 'look-up', timeoutMs);
        try {
          const done = await withDeadline({ timeoutMs, signal, late }, async () => cursor?.lend(work));
          if (done !== undefined) return done.result;
        } catch (error) {
          if (error instanceof ShardTimeoutError) await cursor?.endLoan();
          throw error;
        }
        return executor.read(work, scope);
      },
    };
  }
}
