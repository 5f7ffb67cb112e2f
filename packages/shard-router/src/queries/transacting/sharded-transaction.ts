import type { Executor } from '@ashlar/replica-failover/executor';
import { CrossShardError } from '../../errors/routing.ts';
import { TransactionOverError } from '../../errors/statements.ts';
import type { ClaimsRun } from '../../indexes/claims-run.ts';
import type { ShardKey } from '../../keys/key-column.ts';
import type { Routes } from '../../map/routes.ts';
import type { DeclaredTables } from '../../tables/declared-tables.ts';
import type { Tables } from '../../tables/table.ts';
import { ShardedTable } from '../sharded-table.ts';
import type { Shards } from '../shards.ts';

/** Whether the transaction has ended, and with it the right to use its clients. */
interface Ending {
  isOver: boolean;
}

/** What a transaction runs on. */
export interface Running<C> {
  /** Those of the transaction, by shard. */
  readonly clients: ReadonlyMap<string, C>;
  readonly routes: Routes;
  readonly source: unknown;
  readonly tables: DeclaredTables;
  readonly claims: ClaimsRun;
}

/** Runs the work of a transaction; what it leaves running is refused from its end on. */
export async function inTransaction<C, T extends Tables, R>(
  work: (transaction: ShardedTransaction<C, T>, shards: Shards<C>) => Promise<R>,
  running: Running<C>,
): Promise<R> {
  const ending: Ending = { isOver: false };
  const shards = within(running, ending);
  try {
    const result = await work(new ShardedTransaction(running, shards, ending), shards);
    await running.claims.end();
    return result;
  } catch (error) {
    throw running.claims.reasonOf(error);
  } finally {
    ending.isOver = true;
  }
}

/** What the work of `router.transaction` gets: the tables, all statements of which run in the one transaction. */
export class ShardedTransaction<C, T extends Tables> {
  readonly #running: Running<C>;
  readonly #shards: Shards<C>;
  readonly #ending: Ending;

  /** @param shards where the statements of its tables run */
  constructor(running: Running<C>, shards: Shards<C>, ending: Ending) {
    this.#running = running;
    this.#shards = shards;
    this.#ending = ending;
  }

  /**
   * The shard's own client, for what the tables cannot say.
   *
   * @throws CrossShardError when the transaction is over several: see `on`
   * @throws TransactionOverError
   */
  get client(): C {
    assertOpen(this.#ending);
    const [client, other] = this.#running.clients.values();
    if (other === undefined) return client!;
    throw new CrossShardError('the transaction has a client for each of its shards', 'say `on(key)`');
  }

  /** The client of the shard that has the key. @throws CrossShardError when the transaction is not for that shard; TransactionOverError */
  on(key: ShardKey): C {
    assertOpen(this.#ending);
    const { clients, routes } = this.#running;
    return clientOf(clients, routes.of(key).shard);
  }

  /** A table, of which only rows on the transaction's shards can be reached. @throws InvalidValueError */
  table<N extends keyof T & string>(name: N): ShardedTable<C, T[N]> {
    const { tables } = this.#running;
    return new ShardedTable(tables.get(name), this.#shards, tables.indexesOf(name));
  }
}

function clientOf<C>(clients: ReadonlyMap<string, C>, shard: string): C {
  if (clients.has(shard)) return clients.get(shard)!;
  throw new CrossShardError(
    `a statement in a transaction on ${[...clients.keys()].join(', ')} is for shard ${shard}`,
    'use a transaction of its own, or one for the keys of both with `twoPhase`',
  );
}

function assertOpen({ isOver }: Ending): void {
  if (isOver) throw new TransactionOverError();
}

function within<C>({ clients, routes, source, claims }: Running<C>, ending: Ending): Shards<C> {
  const only = (shard: string): Executor<C> => {
    const client = clientOf(clients, shard);
    const run = async <R>(work: (client: C) => Promise<R>) => {
      assertOpen(ending);
      return work(client);
    };
    return { read: run, write: run, transaction: run };
  };
  return {
    source,
    routes: () => routes,
    on: (keys: readonly ShardKey[]) => only(routes.of(keys[0]!).shard),
    shard: only,
    // The router looks before it commits
    isCurrent: async () => true,
    isTransaction: true,
    claims,
  };
}
