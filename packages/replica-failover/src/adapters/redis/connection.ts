import { refused } from '@ashlar/core';
import type { Pooled, PooledEvents } from '../../connection-pool.ts';
import { OutcomeUnknownError, PartlyExecutedError } from '../../errors.ts';
import type { Progress } from '../../server.ts';
import type { Position } from '../../session.ts';
import type { Chronicle } from './chronicle.ts';
import type { RedisClientLike } from './client-like.ts';
import { nowhere } from './history.ts';
import { isRefusal, isReply } from './replies.ts';
import type { Wire } from './wire.ts';

export class RedisConnection<C extends RedisClientLike> implements Pooled<C> {
  readonly client: C;
  readonly #wire: Wire<C>;
  readonly #chronicle: Chronicle;
  /** How many replicas must have a write before it is acknowledged. */
  readonly #replicas: number;
  readonly #events: PooledEvents<C>;

  constructor(wire: Wire<C>, chronicle: Chronicle, replicas: number, events: PooledEvents<C>) {
    this.client = wire.client;
    this.#wire = wire;
    this.#chronicle = chronicle;
    this.#replicas = replicas;
    this.#events = events;
    wire.onLost(reason => events.lost(this, reason));
    wire.lend();
  }

  get progress(): Progress {
    const { executed, isWaiting, isRefused, isUnable, isInTransaction, hasEnded, lost } = this.#wire;
    return { executed, inDoubt: isWaiting, isRefused, isUnable, isInTransaction, hasEnded, lost };
  }

  isRefusal(error: unknown): boolean {
    return isRefusal(error);
  }

  async begin(isolation: string | undefined): Promise<void> {
    if (isolation !== undefined)
      throw refused('isolation', 'left out, as Redis runs a transaction alone', isolation);
    await this.client.call('MULTI');
  }

  async commit(wantsPosition: boolean): Promise<Position | undefined> {
    let replies: unknown;
    try {
      replies = await this.client.call('EXEC');
    } catch (error) {
      if (!isReply(error))
        throw new OutcomeUnknownError('the answer to EXEC was lost', { cause: this.#wire.lost ?? error });
      const { queueError = error } = this.#wire;
      if (isRefusal(queueError)) throw queueError;
      const text =
        'a command of the transaction was refused and its error was not thrown: nothing was executed';
      throw new Error(text, { cause: queueError });
    }
    const errors = (replies as unknown[]).filter(reply => reply instanceof Error);
    if (errors.length > 0) throw new PartlyExecutedError((replies as unknown[]).length, errors);
    await this.acknowledged();
    return wantsPosition ? this.position() : undefined;
  }

  async rollback(): Promise<void> {
    await this.client.call('DISCARD');
  }

  async acknowledged(): Promise<void> {
    if (this.#replicas === 0 || this.#wire.executed === 0) return;
    try {
      // As long as the call may take: that ends the connection
      await this.client.call('WAIT', this.#replicas, 0);
    } catch (error) {
      const text = `${this.#replicas} replicas have not acknowledged what was written`;
      throw new OutcomeUnknownError(text, { cause: error });
    }
  }

  async position(): Promise<Position> {
    const { position } = await this.#chronicle.read(this.client);
    if (position === nowhere) throw new Error('the server does not say of which history it is');
    return position;
  }

  release(error?: Error): void {
    const unfit = this.#wire.isClean
      ? undefined
      : new Error('the work left something open on its connection');
    this.#wire.rest();
    this.#events.released(this, error ?? unfit);
  }

  wake(): Promise<void> | undefined {
    return this.#wire.wake();
  }

  lose(reason: Error): void {
    this.#wire.lose(reason);
  }
}
