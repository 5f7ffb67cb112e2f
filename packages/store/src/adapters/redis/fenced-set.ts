import { objectWith, refused, required } from '@ashlar/core';
import { checkFencingToken, type FencingToken, StaleTokenError } from '../../leases/fencing.ts';
import { redisClient } from '../redis-connection/client-like.ts';
import { replyCode } from '../redis-connection/replies.ts';
import { fencedSetScript } from './scripts.ts';

/** A client of ioredis, which is used as it is. */
export interface FencedRedis {
  call(command: string, args: (string | Buffer | number)[]): Promise<unknown>;
}

const caller = required(
  objectWith<FencedRedis>(['call'], 'pass a client of ioredis'),
  'pass a client of ioredis',
);

/**
 * Writes to a Redis hash of its own, with the fields `value`, `token` and `holder`, unless it has seen a newer token, or
 * an equal one from another holder. Atomic, in one round trip; `HGET key value` reads it.
 *
 * @throws StaleTokenError when it is refused, and nothing was written; InvalidOptionError; and what the client rejects with
 */
export async function fencedSet(
  redis: FencedRedis,
  key: string,
  value: string | Uint8Array,
  lease: FencingToken,
): Promise<void> {
  if (typeof redis === 'string') redisClient(redis, 'redis');
  const client = caller(redis, 'redis');
  if (typeof key !== 'string') throw refused('key', 'a string', key);
  if (typeof value !== 'string' && !(value instanceof Uint8Array)) {
    throw refused('value', 'a string or a Uint8Array', value, 'write `JSON.stringify(value)`');
  }
  const { token, holder } = checkFencingToken(lease, 'lease');
  const bytes =
    typeof value === 'string' ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const args = [1, key, bytes, String(token), holder];
  const { source, sha } = fencedSetScript;
  const reply = await client.call('EVALSHA', [sha, ...args]).catch((error: unknown) => {
    if (replyCode(error) !== 'NOSCRIPT') throw error;
    return client.call('EVAL', [source, ...args]);
  });
  if (reply === null) return;
  const [seenToken, seenHolder] = reply as [string, string];
  const seen = { token: BigInt(seenToken), holder: seenHolder };
  throw new StaleTokenError(`Redis key ${JSON.stringify(key)}`, { token, holder }, seen);
}
