import { StaleTokenError } from '../../errors.ts';
import type { FencingToken } from '../../fencing.ts';
import { codeOf } from './failure.ts';
import { fencedSetScript } from './scripts.ts';

/** A client of ioredis, which is used as it is. */
export interface FencedRedis {
  call(command: string, args: (string | Buffer | number)[]): Promise<unknown>;
}

/**
 * Writes to a Redis hash of its own: the fields `value`, `token` and `holder`, unless a newer token, or this one of
 * another holder, was there before. Atomic, in one round trip; read it with `HGET key value`.
 *
 * @throws StaleTokenError; nothing was written then.
 */
export async function fencedSet(
  redis: FencedRedis,
  key: string,
  value: string | Uint8Array,
  { token, holder }: FencingToken,
): Promise<void> {
  const bytes =
    typeof value === 'string' ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const args = [1, key, bytes, String(token), holder];
  const { source, sha } = fencedSetScript;
  const reply = await redis.call('EVALSHA', [sha, ...args]).catch((error: unknown) => {
    if (codeOf(error) !== 'NOSCRIPT') throw error;
    return redis.call('EVAL', [source, ...args]);
  });
  if (reply === null) return;
  const [seenToken, seenHolder] = reply as [string, string];
  const seen = { token: BigInt(seenToken), holder: seenHolder };
  throw new StaleTokenError(`Redis key ${JSON.stringify(key)}`, { token, holder }, seen);
}
