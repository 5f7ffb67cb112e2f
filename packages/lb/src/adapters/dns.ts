import { Resolver } from 'node:dns/promises';
import { Backoff } from '@ashlar/core';
import { stoppable } from '../discovery/stoppable.ts';
import { waitToRetry } from '../discovery/trouble.ts';
import type { Discovery } from '../endpoint.ts';
import { sameEndpoint } from '../endpoint.ts';
import { type DnsAnswer, type DnsEndpoint, lookUp } from './dns/lookup.ts';
import { type DnsDiscoveryOptions, type DnsSettings, dnsSettings } from './dns/options.ts';
import { Round } from './dns/round.ts';

export type { DiscoveryTroubleMessage } from '../discovery/trouble.ts';
export type { DnsEndpoint } from './dns/lookup.ts';
export type {
  AddressOptions,
  AddressRecord,
  DnsDiscoveryOptions,
  ResolverLike,
  SrvOptions,
} from './dns/options.ts';

/**
 * The endpoints that the DNS lists under a name, for `new LoadBalancer({ endpoints })`. The name is resolved again when
 * the shortest TTL of the answer expires, between `minIntervalMs` and `intervalMs`.
 *
 * An answer with the same endpoints in another order publishes nothing. A query that fails or is late keeps its last
 * records, none at first: where A answers and AAAA does not, the IPv4 addresses serve. A round without any endpoint
 * changes nothing. The error is published on the channel `ashlar:lb:discovery-trouble`, and the next round follows after
 * `minIntervalMs` plus a random pause that doubles with each failure, at most `intervalMs` in all. Of SRV records only
 * the lowest priority counts, with its weights. Only the DNS is asked, not the machine's `hosts` file. Ends when the
 * signal aborts; never throws.
 *
 * @throws InvalidOptionError
 */
export function dnsDiscovery(name: string, options: DnsDiscoveryOptions): Discovery<DnsEndpoint> {
  const settings = dnsSettings(name, options);
  return stoppable(signal => poll(settings, signal), settings.signal);
}

async function* poll(settings: DnsSettings, signal: AbortSignal): AsyncGenerator<readonly DnsEndpoint[]> {
  const { name, minIntervalMs, intervalMs, jitter, clock, random } = settings;
  const backoff = new Backoff({ firstMs: minIntervalMs, maxMs: intervalMs - minIntervalMs }, random);
  let last: readonly DnsEndpoint[] = [];
  let round = new Round(settings, new Map(), signal);
  for (;;) {
    try {
      round = new Round(settings, round.records, signal);
      const { endpoints, ttlMs } = await answerOf(settings, round);
      signal.throwIfAborted();
      if (!isSame(last, endpoints)) yield endpoints;
      last = endpoints;
      if (round.error !== undefined) throw round.error;
      backoff.reset();
      const pauseMs = Math.max(minIntervalMs, Math.min(ttlMs, intervalMs));
      await clock.sleep(pauseMs * (1 + jitter * random()), signal);
    } catch (error) {
      signal.throwIfAborted();
      await waitToRetry(`dns ${name}`, error, minIntervalMs + backoff.nextMs(), clock, signal);
    }
  }
}

/** By a resolver of its own, which knows the name servers of now, and whose late queries are canceled. */
async function answerOf(settings: DnsSettings, round: Round): Promise<DnsAnswer> {
  if (settings.resolver !== undefined) return lookUp(settings.resolver, settings, round);
  const resolver = new Resolver();
  try {
    return await lookUp(resolver, settings, round);
  } finally {
    if (round.error !== undefined) resolver.cancel();
  }
}

function isSame(before: readonly DnsEndpoint[], after: readonly DnsEndpoint[]): boolean {
  return before.length === after.length && before.every((each, index) => sameEndpoint(each, after[index]!));
}
