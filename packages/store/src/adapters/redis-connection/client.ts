import {
  type Advice,
  describe,
  durationMs,
  InvalidOptionError,
  objectWith,
  type RulesFor,
  readOptions,
  refused,
  required,
  text,
} from '@ashlar/core';
import { withoutSecrets } from '../url.ts';

/** A `Redis` (also through Sentinel) or `Cluster` of ioredis. It stays unused: connections are opened with its settings. */
export interface RedisLike {
  duplicate(...args: never[]): unknown;
  readonly isCluster?: boolean;
}

export type Argument = string | number | Buffer;

/** The part of an ioredis client that is used. */
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

export interface ClientOptions {
  /** What Redis lists the connection as (`CLIENT SETNAME`): the name of the package that uses it. */
  readonly connectionName: string;
  /** Milliseconds until an attempt to connect fails. */
  readonly connectTimeoutMs: number;
}

const advice: Advice = value =>
  typeof value === 'string'
    ? `write \`new Redis('${withoutSecrets(value)}')\`, with \`import { Redis } from 'ioredis'\``
    : "write `new Redis('redis://…')`, with `import { Redis } from 'ioredis'`";

const duplicable = required(
  objectWith<RedisLike>(['duplicate'], advice),
  "write `new Redis('redis://…')`, with `import { Redis } from 'ioredis'`",
);

/** The rule of an option that takes a client of ioredis. @throws InvalidOptionError that says what to write */
export function redisClient(value: unknown, option: string): RedisLike {
  if (typeof value !== 'string') return duplicable(value, option);
  throw refused(option, 'a client of ioredis', withoutSecrets(value), advice);
}

const rules = {
  connectionName: required(text()),
  connectTimeoutMs: required(durationMs(undefined, { above: 0 })),
} satisfies RulesFor<ClientOptions>;

/**
 * A client with the settings of the given one, for one connection: it never reconnects, sends nothing twice, queues
 * nothing, and reads from the primary. Credentials, TLS, Sentinels, database and key prefix stay.
 *
 * @throws InvalidOptionError for what is no client of ioredis, and for wrong options
 */
export function clientLike(redis: RedisLike, options: ClientOptions): Client {
  const { connectionName, connectTimeoutMs } = readOptions('clientLike', options, rules);
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
    connectionName,
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
  // The connections of a cluster are opened by their first command, which must wait for them
  const node = { ...connection, enableOfflineQueue: true };
  const given = redisClient(redis, 'redis');
  const duplicate = (given.duplicate as (...args: unknown[]) => unknown).bind(given);
  const client = given.isCluster ? duplicate([], { ...cluster, redisOptions: node }) : duplicate(connection);
  if (isClient(client)) return client;
  const help = "write `new Redis('redis://…')`, with `import { Redis } from 'ioredis'`";
  throw new InvalidOptionError(
    'redis',
    `\`redis\` must be a client of ioredis, got ${describe(redis)}; ${help}`,
  );
}

/** Whether it has what a link calls. */
export function isClient(client: unknown): client is Client {
  const { callBuffer, connect, disconnect } = (client ?? {}) as Partial<Client>;
  return [callBuffer, connect, disconnect].every(method => typeof method === 'function');
}
