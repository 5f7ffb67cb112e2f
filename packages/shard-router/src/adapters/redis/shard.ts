import { refused } from '@ashlar/core';
import type { Executor, ReadScope, Scope, TransactionScope } from '@ashlar/replica-failover/executor';
import type { SlottedShard } from '../../clients/slotted.ts';
import { PartlyExecutedError } from '../../errors/statements.ts';
import { type RedisCommand, RedisShardClient } from './client.ts';
import { type Names, namesOf } from './names.ts';
import type { RedisCallsLike } from './running.ts';

/** Slots of a map on one primary of Redis, and its replicas. */
export class RedisShard implements SlottedShard<RedisShardClient> {
  /** Runs work of the mover, past the checks. */
  readonly servers: Executor<RedisCallsLike>;
  /** @internal */
  readonly names: Names;
  readonly #slots: readonly number[];

  constructor(servers: Executor<RedisCallsLike>, map: string, slots: readonly number[] = []) {
    this.servers = servers;
    this.names = namesOf(map);
    this.#slots = slots;
  }

  ofSlots(slots: readonly number[]): Executor<RedisShardClient> {
    return new RedisShard(this.servers, this.names.map, slots);
  }

  read<T>(work: (client: RedisShardClient) => Promise<T>, scope?: ReadScope): Promise<T> {
    return this.servers.read(redis => work(this.#client(redis, true)), scope);
  }

  write<T>(work: (client: RedisShardClient) => Promise<T>, scope?: Scope): Promise<T> {
    return this.servers.write(redis => work(this.#client(redis, false)), scope);
  }

  /** The commands run together when the work resolves, or not at all. */
  async transaction<T>(
    work: (client: RedisShardClient) => Promise<T>,
    { isolation, ...scope }: TransactionScope = {},
  ): Promise<T> {
    if (isolation !== undefined)
      throw refused('isolation', 'left out, as Redis runs a transaction alone', isolation);
    return this.servers.write(async redis => {
      const queue: RedisCommand[] = [];
      const result = await work(this.#client(redis, false, queue));
      if (queue.length === 0) return result;
      const replies = await this.#client(redis, false).multi(queue);
      const errors = replies.filter(reply => reply instanceof Error);
      if (errors.length > 0) throw new PartlyExecutedError(replies.length, errors);
      return result;
    }, scope);
  }

  #client(redis: RedisCallsLike, isRead: boolean, queue?: RedisCommand[]): RedisShardClient {
    const { names } = this;
    return new RedisShardClient(redis, { shard: 'of Redis', names, slots: this.#slots, isRead, queue });
  }
}
