import type { Executor, TransactionScope } from '@ashlar/replica-failover/executor';
import { isQueryClient, type QueryClient } from '../clients/client.ts';
import { isolationLevel } from '../clients/isolation.ts';
import { ShardFailedError } from '../errors/statements.ts';
import { ledgerOf } from './ledger-of.ts';

/** Thrown in the executor's transaction, so that it is rolled back. */
class RolledBack extends Error {}

/** The part of a transaction at one shard, which stays open while the work runs, and is then prepared or rolled back. */
export class Branch<C> {
  readonly shard: string;
  readonly client: C;
  readonly #end: (gid: string | undefined) => void;
  readonly #done: Promise<void>;

  private constructor(shard: string, client: C, end: (gid: string | undefined) => void, done: Promise<void>) {
    this.shard = shard;
    this.client = client;
    this.#end = end;
    this.#done = done;
  }

  /** @param beginsItself whether it is begun by us on a connection of `write` */
  static async open<C>(
    shard: string,
    executor: Executor<C>,
    beginsItself: boolean,
    { isolation, ...scope }: TransactionScope,
  ): Promise<Branch<C>> {
    const begun = deferred<C>();
    const ended = deferred<string | undefined>();
    let hasBegun = false;
    const run = async (client: C) => {
      // An executor may run its work again elsewhere, where nothing of it would be
      if (hasBegun) throw new ShardFailedError(shard, new Error('it has lost its part of the transaction'));
      hasBegun = true;
      begun.resolve(client);
      return ended.promise;
    };
    const done = beginsItself
      ? executor.write(client => within(client, isolation, () => run(client)), scope)
      : executor.transaction(
          async client => {
            const gid = await run(client);
            if (gid === undefined) throw new RolledBack();
            await ledgerOf(client).prepare(gid);
          },
          isolation === undefined ? scope : { ...scope, isolation },
        );
    done.catch(begun.reject);
    return new Branch(shard, await begun.promise, ended.resolve, done);
  }

  /** Rejects when it is certainly not prepared, and when nobody knows. */
  prepare(gid: string): Promise<void> {
    this.#end(gid);
    return this.#done;
  }

  /** Ends what is not prepared; resolves when its shard has, or cannot be reached. */
  async rollback(): Promise<void> {
    this.#end(undefined);
    await this.#done.catch(() => {});
  }
}

/**
 * Whether a transaction of this client is begun by us: an executor of connections would take one that is prepared for one that somebody else
 * has ended.
 */
export function beginsItself(client: unknown): boolean {
  return isQueryClient(client) && client.hasOneSession !== true;
}

async function within(
  client: unknown,
  isolation: string | undefined,
  run: () => Promise<string | undefined>,
): Promise<void> {
  const { query } = bound(client as QueryClient);
  await query(`BEGIN${isolation === undefined ? '' : ` ISOLATION LEVEL ${isolationLevel(isolation)}`}`);
  let gid: string | undefined;
  try {
    gid = await run();
    if (gid !== undefined) await ledgerOf(client).prepare(gid);
  } catch (error) {
    await query('ROLLBACK').catch(() => {});
    throw error;
  }
  if (gid === undefined) await query('ROLLBACK');
}

function bound(client: QueryClient): QueryClient {
  return { query: client.query.bind(client) };
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(reason: unknown): void;
}

function deferred<T>(): Deferred<T> {
  const made = {} as { -readonly [Name in keyof Deferred<T>]: Deferred<T>[Name] };
  made.promise = new Promise<T>((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}
