import type { Redis } from 'ioredis';

/** Who has viewed which product; a pair of them is a millisecond's work or so for the server. */
const products = 40;
const viewers = 6_000;
const visitors = 20_000;

export type Pair = readonly [one: number, other: number];

export const pairs: readonly Pair[] = Array.from({ length: products }, (_, one) =>
  Array.from({ length: one }, (_, other): Pair => [one, other]),
).flat();

export async function fill(redis: Redis): Promise<void> {
  for (let product = 0; product < products; product++) {
    const ids = Array.from({ length: viewers }, (_, i) => `visitor ${(i * (2 * product + 3)) % visitors}`);
    await redis.sadd(`viewers of ${product}`, ids);
  }
}

/** How many have viewed both. */
export function both(redis: Redis, [one, other]: Pair): Promise<number> {
  return redis.sintercard(2, `viewers of ${one}`, `viewers of ${other}`);
}

/** What one takes when nothing but the server is waited for, in milliseconds: the least of a few looks, as others are in the way. */
export async function requestMs(redis: Redis): Promise<number> {
  let least = Infinity;
  for (let look = 0; look < 3; look++) {
    const startedAt = performance.now();
    await Promise.all(pairs.map(pair => both(redis, pair)));
    least = Math.min(least, (performance.now() - startedAt) / pairs.length);
  }
  return least;
}
