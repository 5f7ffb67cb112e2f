import { objectWith, refused, required } from '@ashlar/core';
import { checkFencingToken, type FencingToken, StaleTokenError } from '../../leases/fencing.ts';
import { redisClient } from '../redis-connection/client-like.ts';
import { isNodeRedis, sendNodeRedis } from '../redis-connection/node-redis.ts';
import { fencedSetScript } from './scripts.ts';

/**
 * The user's own client, which is used as it is: of ioredis a `Redis` or `Cluster`, of node-redis 5 what `createClient` or
 * `createCluster` return, connected.
 */
export type FencedRedis =
  | { call(command: string, args: (string | Buffer | number)[]): Promise<unknown> }
  | { sendCommand(...args: never[]): Promise<unknown>; destroy(): void };

type Caller = Extract<FencedRedis, { call: unknown }>;

const help = 'pass a client of ioredis or of node-redis 5';
const caller = required(objectWith<Caller>(['call'], help), help);

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
  const isNode = typeof redis === 'object' && redis !== null && isNodeRedis(redis);
  const client = isNode ? undefined : caller(redis, 'redis');
  if (typeof key !== 'string') throw refused('key', 'a string', key);
  if (typeof value !== 'string' && !(value instanceof Uint8Array)) {
    throw refused('value', 'a string or a Uint8Array', value, 'write `JSON.stringify(value)`');
  }
  const { token, holder } = checkFencingToken(lease, 'lease');
  const bytes =
    typeof value === 'string' ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const args = ['1', key, bytes, String(token), holder];
  const run = (command: string, script: string) =>
    client?.call(command, [script, ...args]) ?? sendNodeRedis(redis, key, [command, script, ...args]);
  const { source, sha } = fencedSetScript;
  const reply = await run('EVALSHA', sha).catch((error: unknown) => {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT '))) throw error;
    return run('EVAL', source);
  });
  if (reply === null) return;
  const [seenToken, seenHolder] = reply as [string, string];
  const seen = { token: BigInt(seenToken), holder: seenHolder };
  throw new StaleTokenError(`Redis key ${JSON.stringify(key)}`, { token, holder }, seen);
}
