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
  withoutSecrets,
} from '@ashlar/core';
import { type Client, type ClientOptions, isClient, type RedisLike } from './client.ts';
import { ioredisLike } from './ioredis.ts';
import { isNodeRedis, nodeRedisLike } from './node-redis.ts';

const advice: Advice = value =>
  typeof value === 'string'
    ? `write \`new Redis('${withoutSecrets(value)}')\`, with \`import { Redis } from 'ioredis'\``
    : "write `new Redis('redis://…')`, with `import { Redis } from 'ioredis'`";

const duplicable = required(
  objectWith<RedisLike>(['duplicate'], advice),
  "write `new Redis('redis://…')`, with `import { Redis } from 'ioredis'`",
);

/** The rule of an option that takes a client of Redis. @throws InvalidOptionError that says what to write */
export function redisClient(value: unknown, option: string): RedisLike {
  if (typeof value === 'string') throw refused(option, 'a client of ioredis', value, advice);
  const redis = duplicable(value, option);
  const { callBuffer, sendCommand } = redis as object as { readonly [name: string]: unknown };
  if (isNodeRedis(redis) || callBuffer !== undefined || sendCommand === undefined) return redis;
  throw refused(option, 'a client of ioredis or of node-redis 5', value, advice);
}

const rules = {
  connectionName: required(text()),
  connectTimeoutMs: required(durationMs(undefined, { above: 0 })),
  key: text(),
} satisfies RulesFor<ClientOptions>;

/**
 * A client with the settings of the given one, for one connection: it never reconnects, sends nothing twice, queues
 * nothing, and reads from the primary. Credentials, TLS, Sentinels, database and key prefix stay.
 *
 * @throws InvalidOptionError for what is no client of Redis, and for wrong options
 */
export function clientLike(redis: RedisLike, options: ClientOptions): Client {
  const checked = readOptions('clientLike', options, rules) as ClientOptions;
  const given = redisClient(redis, 'redis');
  if (isNodeRedis(given)) {
    if (checked.key !== undefined || !('masters' in given)) return nodeRedisLike(given, checked);
    throw new InvalidOptionError(
      'redis',
      '`redis` must not be a cluster of node-redis here; use one of ioredis',
    );
  }
  const client = ioredisLike(given, checked);
  if (isClient(client)) return client;
  const help = "write `new Redis('redis://…')`, with `import { Redis } from 'ioredis'`";
  throw new InvalidOptionError(
    'redis',
    `\`redis\` must be a client of ioredis, got ${describe(redis)}; ${help}`,
  );
}
