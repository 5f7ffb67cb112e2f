import { InvalidOptionError, objectWith, required } from '@ashlar/core';
import {
  type NewRedisClient,
  type RedisClientLike,
  type RedisSettings,
  redisSettings,
} from './client-like.ts';

export const clientAdvice = 'write `(connection, settings) => new Redis(connection, settings)`';

const anyClient = required(
  objectWith<RedisClientLike>(['connect', 'disconnect', 'call', 'sendCommand', 'on'], clientAdvice),
  clientAdvice,
);
/** @throws InvalidOptionError for a client that would send again, queue or connect on its own */
export function clientOf<C extends RedisClientLike, S>(newClient: NewRedisClient<C, S>, connection: S): C {
  const client = anyClient(newClient(connection, redisSettings), 'newClient()') as C;
  const set = client.options as Partial<RedisSettings>;
  const wrong = (Object.keys(redisSettings) as (keyof RedisSettings)[]).find(
    name => set[name] !== redisSettings[name],
  );
  if (wrong === undefined) return client;
  client.on('error', () => {});
  client.disconnect();
  throw new InvalidOptionError(
    'newClient',
    `\`newClient\` made a client without \`${wrong}\` of the settings that it was given; ${clientAdvice}`,
  );
}
