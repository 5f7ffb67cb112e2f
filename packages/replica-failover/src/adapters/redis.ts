import {
  functionOf,
  InvalidOptionError,
  integer,
  listOf,
  type RulesFor,
  readOptions,
  required,
  text,
} from '@ashlar/core';
import type { Server } from '../server.ts';
import { Chronicle } from './redis/chronicle.ts';
import type { NewRedisClient, RedisClientLike } from './redis/client-like.ts';
import { clientAdvice, clientOf } from './redis/client-of.ts';
import { RedisServer } from './redis/server.ts';

export type { NewRedisClient, RedisClientLike, RedisSettings } from './redis/client-like.ts';
export { type SentinelOptions, sentinel } from './redis/sentinel.ts';

export interface RedisServersOptions<C extends RedisClientLike, S> {
  /** A primary and its replicas, in any order. */
  readonly servers: readonly RedisServerOptions<S>[];
  /** Makes a client that is not connected: `(connection, settings) => new Redis(connection, settings)`. */
  readonly newClient: NewRedisClient<C, S>;
  /**
   * How many replicas must have what a call has written, before it resolves: WAIT. When they have not until the call's time
   * is over, its outcome is Unknown. Default: 0, Redis's own promise, so that a failover loses what was written last.
   */
  readonly acknowledge?: number | undefined;
  /** The key under which the servers keep the history of their promotions. Default: `ashlar:replica-failover`. */
  readonly key?: string | undefined;
}

export interface RedisServerOptions<S> {
  /** Unique in the set, and the same in every process. */
  readonly id: string;
  /** What `newClient` gets: a URL, or an object of options. */
  readonly connection: S;
  /** Where it is, for reads that stay near. Default: nowhere. */
  readonly region?: string | undefined;
  /** How the other servers reach it, as `host:port`. Needed where the set leads. */
  readonly replication?: string | undefined;
}

const serverRules = {
  id: required(text()),
  connection: required((value: unknown) => value),
  region: text(),
  replication: text(),
} satisfies RulesFor<RedisServerOptions<unknown>>;
const oneServer = required((value: unknown, option: string) =>
  readOptions(`\`${option}\``, value, serverRules, `${option}.`),
);
type AnyNewClient = NewRedisClient<RedisClientLike, unknown>;
const rules = {
  servers: required(listOf(oneServer), 'write `[{ id, connection }, …]`'),
  newClient: required(functionOf<AnyNewClient>(clientAdvice), clientAdvice),
  acknowledge: integer(0, { min: 0 }),
  key: text('ashlar:replica-failover'),
} satisfies RulesFor<RedisServersOptions<RedisClientLike, unknown>>;

/**
 * A Redis primary with its replicas, version 6 or later. Work gets a client of ioredis for itself. Each process keeps one
 * more connection to each server, to watch it.
 *
 * No client reconnects, queues or sends anything twice: what was not answered is Unknown. A `transaction` is MULTI and EXEC,
 * so its commands answer `QUEUED`. Redis cannot prove that it is still the primary: `strong` reads are refused.
 *
 * @throws InvalidOptionError
 */
export function redisServers<C extends RedisClientLike, S>(
  options: RedisServersOptions<C, S>,
): readonly Server<C>[] {
  const { servers, newClient, acknowledge, key } = readOptions('redisServers', options, rules);
  if (acknowledge > servers.length - 1) {
    const message = `\`acknowledge\` is ${acknowledge}, and there are ${servers.length - 1} replicas`;
    throw new InvalidOptionError('acknowledge', message);
  }
  const chronicle = new Chronicle(key);
  const replicationOf = (id: string) => {
    const [, host, port] = /^(.+):(\d+)$/.exec(servers.find(each => each.id === id)?.replication ?? '') ?? [];
    if (host !== undefined && port !== undefined) return [host, port] as const;
    const message = `the server ${id} has no \`replication\`, as the others need to follow it: write \`host:port\``;
    throw new InvalidOptionError('replication', message);
  };
  return servers.map(({ id, connection, region, replication }) => {
    const make = () => clientOf(newClient, connection) as C;
    make().disconnect();
    return new RedisServer({
      id,
      region,
      address: { connection, replication },
      newClient: make,
      chronicle,
      acknowledge,
      replicationOf,
    });
  });
}
