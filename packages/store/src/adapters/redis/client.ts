import { describe, InvalidOptionError } from '@ashlar/core';

/** A `Redis` (also through Sentinel) or `Cluster` of ioredis. It is not used itself: connections are made like it. */
export interface RedisLike {
  duplicate(...args: never[]): unknown;
  readonly isCluster?: boolean;
}

export type Argument = string | number | Buffer;

/** What is used of an ioredis client. */
export interface Client {
  connect(): Promise<unknown>;
  disconnect(): void;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  on(event: 'connect' | 'close' | 'end', listener: () => void): unknown;
  on(
    event: 'messageBuffer',
    listener: (channel: Buffer, message: Buffer | readonly Buffer[] | null) => void,
  ): unknown;
  call(command: string, args: readonly Argument[]): Promise<unknown>;
  callBuffer(command: string, args: readonly Argument[]): Promise<unknown>;
}

/**
 * A client like the user's own, for one connection: it never connects again, sends nothing twice, keeps nothing back,
 * and asks the primary. The user's credentials, TLS, Sentinels, database and key prefix stay.
 *
 * @throws InvalidOptionError when it is no client of ioredis.
 */
export function clientLike(redis: RedisLike, connectTimeoutMs: number): Client {
  const never = () => null;
  const connection = {
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    enableAutoPipelining: false,
    readOnly: false,
    retryStrategy: never,
    reconnectOnError: null,
    maxRetriesPerRequest: null,
    connectTimeout: connectTimeoutMs,
    disconnectTimeout: 100,
    commandTimeout: undefined,
    blockingTimeout: undefined,
    socketTimeout: undefined,
    connectionName: 'ashlar-store',
    stringNumbers: false,
    protocol: 2,
    replyMapping: 'legacy',
    scripts: undefined,
  };
  const cluster = {
    lazyConnect: true,
    enableOfflineQueue: false,
    enableAutoPipelining: false,
    scaleReads: 'master',
    clusterRetryStrategy: never,
    clusterNodeRetryStrategy: null,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    slotsRefreshTimeout: connectTimeoutMs,
    scripts: undefined,
  };
  // the connections of a cluster are opened by their first command, which must wait for them
  const node = { ...connection, enableOfflineQueue: true };
  const duplicate = (redis?.duplicate as ((...args: unknown[]) => unknown) | undefined)?.bind(redis);
  const client = redis?.isCluster
    ? duplicate?.([], { ...cluster, redisOptions: node })
    : duplicate?.(connection);
  if (isClient(client)) return client;
  throw new InvalidOptionError('redis', `\`redis\` must be a client of ioredis, got ${describe(redis)}`);
}

function isClient(client: unknown): client is Client {
  const { callBuffer, connect, disconnect } = (client ?? {}) as Partial<Client>;
  return [callBuffer, connect, disconnect].every(method => typeof method === 'function');
}
