import type { ReadScope, ReplicaSet, ReplicaSetSnapshot, Scope } from '@ashlar/replica-failover';
import type { Shop } from './cluster.ts';

/** How orders are kept at one kind of server. */
export interface OrderBook<C> {
  /** `transaction` where the outcome of a lost commit can be found out. */
  readonly by: 'transaction' | 'write';
  add(client: C, order: number): Promise<unknown>;
  has(client: C, order: number): Promise<boolean>;
  all(client: C): Promise<number[]>;
}

/** A shop that keeps its orders in a replica set. */
export class SetShop<C> implements Shop {
  readonly #set: ReplicaSet<C>;
  readonly #book: OrderBook<C>;

  constructor(set: ReplicaSet<C>, book: OrderBook<C>) {
    this.#set = set;
    this.#book = book;
  }

  // #region calls
  async take(order: number, scope: Scope): Promise<void> {
    await this.#set[this.#book.by](client => this.#book.add(client, order), scope);
  }

  has(order: number, scope: ReadScope): Promise<boolean> {
    return this.#set.read(client => this.#book.has(client, order), scope);
  }
  // #endregion

  all(): Promise<number[]> {
    return this.#set.read(client => this.#book.all(client));
  }

  snapshot(): ReplicaSetSnapshot {
    return this.#set.snapshot();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#set.close();
  }
}
