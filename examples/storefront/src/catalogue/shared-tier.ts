import type { RemoteTier } from '@ashlar/cache-policies';
import { redisTier } from '@ashlar/cache-policies/redis';
import { Redis } from 'ioredis';

/** Where the replicas of a fleet share what they load. */
export interface TierSettings {
  readonly url: string;
  readonly prefix: string;
}

/** A cache waits no longer for a Redis that does not answer, and takes it to be away. */
const timeoutMs = 1_000;

export function sharedTier({ url, prefix }: TierSettings): RemoteTier {
  const redis = new Redis(url, { lazyConnect: true }); // a pattern for connections, and none itself
  return redisTier({ redis, prefix, timeoutMs });
}
