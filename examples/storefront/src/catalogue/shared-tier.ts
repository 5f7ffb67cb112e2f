import { subscribe } from 'node:diagnostics_channel';
import type { ConnectionMessage, RemoteTier } from '@ashlar/cache-policies';
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

/** Calls back whenever the one cache of this process loses its tier or has it again. */
export function onConnection(listener: (connected: boolean) => void): void {
  subscribe('ashlar:cache-policies:connection', message => {
    listener((message as ConnectionMessage).state === 'connected');
  });
}
