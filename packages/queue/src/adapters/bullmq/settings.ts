import {
  boolean,
  describe,
  durationMs,
  InvalidOptionError,
  integer,
  objectWith,
  type RulesFor,
  readOptions,
  text,
} from '@ashlar/core';
import { type RedisLike, redisClient } from '@ashlar/store/redis-connection';
import type { BullmqLibrary } from './library.ts';

/** A `Queue` of BullMQ. */
export interface BullQueueLike {
  readonly name: string;
  readonly opts: object;
}

/** Options of a connection as BullMQ takes them: `{ host, port }`, `{ url }` and others of ioredis. */
export type ConnectionOptions = object;

export interface BullmqOptions {
  /** A `Queue`, whose connection settings, prefix and `defaultJobOptions` are used for all topics. It stays as it is. */
  readonly queue?: BullQueueLike;
  /** Without `queue`: a client of ioredis, or its options. It stays unused: the driver opens connections of its own. */
  readonly connection?: RedisLike | ConnectionOptions;
  /** Without `queue`: the beginning of all keys; in a cluster with a hash tag, `{bull}`. Default: `bull`, as BullMQ's own. */
  readonly prefix?: string;
  /** Milliseconds that a message stays with a consumer that does not extend it; another has it a quarter later at the latest. Default: 7 500. */
  readonly leaseMs?: number;
  /** Milliseconds for a command, the wait for a connection included. Default: 5 000. */
  readonly timeoutMs?: number;
  /** Milliseconds, in whole seconds, that a handled message is kept with its result; until then its id is taken. Default: 60 000. */
  readonly deduplicationMs?: number;
  /** The most handled messages that a group keeps; the oldest go first. Default: 100 000. */
  readonly maxCompleted?: number;
  /** The most dead letters that a group keeps; the oldest go first. Default: 10 000. */
  readonly maxDead?: number;
  /** Accept a Redis whose `maxmemory-policy` is not `noeviction`, which may drop messages. Default: false. */
  readonly allowEviction?: boolean;
  /** The module to use instead of the installed `bullmq`, where it has another name. */
  readonly library?: BullmqLibrary;
}

const rules = {
  queue: objectWith<BullQueueLike>([], 'write `queue: new Queue(name, { connection })`'),
  connection: objectWith<object>([], 'write `connection: { host, port }`'),
  prefix: text(),
  leaseMs: durationMs(7_500, { min: 100 }),
  timeoutMs: durationMs(5_000, { above: 0, max: 2 ** 30 }),
  deduplicationMs: durationMs(60_000, { min: 1_000 }),
  maxCompleted: integer(100_000, { min: 1 }),
  maxDead: integer(10_000, { min: 1 }),
  allowEviction: boolean(false),
  library: objectWith<BullmqLibrary>(['Queue', 'Worker', 'FlowProducer', 'RedisConnection']),
} satisfies RulesFor<BullmqOptions>;

/** What the driver goes by. */
export interface Settings {
  readonly redis: RedisLike;
  readonly prefix: string;
  readonly leaseMs: number;
  readonly timeoutMs: number;
  readonly deduplicationMs: number;
  readonly maxCompleted: number;
  readonly maxDead: number;
  readonly allowEviction: boolean;
  readonly library: BullmqLibrary;
  readonly defaultJobOptions: object | undefined;
}

/** @throws InvalidOptionError */
export function readSettings(options: BullmqOptions, installed: BullmqLibrary): Settings {
  const { queue, connection, prefix, library = installed, ...rest } = readOptions('bullmq', options, rules);
  if ((queue === undefined) === (connection === undefined)) {
    throw new InvalidOptionError('queue', 'give `queue` or `connection`, one of them: `bullmq({ queue })`');
  }
  if (queue === undefined) {
    const redis = clientOf(connection, 'connection', library);
    return checked({ ...rest, redis, prefix: prefix ?? 'bull', library, defaultJobOptions: undefined });
  }
  if (prefix !== undefined) {
    throw new InvalidOptionError('prefix', '`prefix` is that of the queue: leave it out beside `queue`');
  }
  checkBackend(queue);
  const opts = (queue.opts ?? {}) as {
    readonly connection?: unknown;
    readonly prefix?: string;
    readonly defaultJobOptions?: object;
  };
  const redis = clientOf(opts.connection, 'queue', library);
  const { defaultJobOptions } = opts;
  return checked({ ...rest, redis, prefix: opts.prefix ?? 'bull', library, defaultJobOptions });
}

function checked(settings: Settings): Settings {
  const { redis, prefix } = settings;
  const isCluster = redis.isCluster === true || 'masters' in redis;
  if (!isCluster || /\{[^}]+\}/.test(prefix)) return settings;
  const help = "all keys must be in one slot: write `prefix: '{bull}'`, as BullMQ needs it too";
  throw new InvalidOptionError(
    'prefix',
    `\`prefix\` must have a hash tag in a cluster, got ${describe(prefix)}: ${help}`,
  );
}

function checkBackend(queue: object): void {
  const { getBackend } = queue as { getBackend?(): object };
  if (getBackend === undefined) return;
  if ('client' in getBackend.call(queue)) return;
  const help = 'use the postgres driver, or a queue with a connection to Redis';
  throw new InvalidOptionError('queue', `\`queue\` must keep its jobs in Redis; this one does not: ${help}`);
}

const clientMethods = ['connect', 'disconnect', 'duplicate'] as const;

function clientOf(connection: unknown, option: string, library: BullmqLibrary): RedisLike {
  const given = connection as Readonly<Record<string, unknown>> | undefined;
  if (typeof given !== 'object' || given === null) {
    throw new InvalidOptionError(option, `\`${option}\` has no connection: it is ${describe(connection)}`);
  }
  if (typeof given['query'] === 'function') {
    const help = 'the driver needs Redis; for PostgreSQL there is the postgres driver';
    throw new InvalidOptionError(option, `\`${option}\` must not be a client of PostgreSQL: ${help}`);
  }
  const isClient = clientMethods.every(method => typeof given[method] === 'function');
  const client = isClient ? redisClient(given, option) : made(given, library);
  const { keyPrefix } = (client as { readonly options?: { readonly keyPrefix?: string } }).options ?? {};
  if (keyPrefix) {
    const help = 'use the option `prefix`, as BullMQ does';
    throw new InvalidOptionError(
      option,
      `\`${option}\` must have no keyPrefix, got ${describe(keyPrefix)}: ${help}`,
    );
  }
  return client;
}

/** A client as BullMQ makes it of options, with the ioredis that it has. It never connects. */
function made(options: object, library: BullmqLibrary): RedisLike {
  const connection = new library.RedisConnection(
    { ...options, lazyConnect: true } as never,
    { blocking: false, skipVersionCheck: true, skipWaitingForReady: true } as never,
  );
  connection.client.catch(() => {});
  return (connection as object as { readonly _client: RedisLike })._client;
}
