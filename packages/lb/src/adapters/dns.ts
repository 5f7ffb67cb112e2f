import { Backoff, onAbort, withDeadline } from '@ashlar/core';
import { stoppable } from '../discovery/stoppable.ts';
import { waitToRetry } from '../discovery/trouble.ts';
import type { Discovery } from '../endpoint.ts';
import { sameEndpoint } from '../endpoint.ts';
import { DiscoveryError } from '../errors.ts';
import { type DnsAnswer, type DnsEndpoint, lookUp } from './dns/lookup.ts';
import { type DnsDiscoveryOptions, type DnsSettings, dnsSettings } from './dns/options.ts';

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
 * An answer with the same endpoints in another order publishes nothing. A failed, late, partial or empty answer changes
 * nothing: the error is published on the channel `ashlar:lb:discovery-trouble`, and the next query follows after
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
  for (;;) {
    try {
      const { endpoints, ttlMs } = await lookUpInTime(settings, signal);
      backoff.reset();
      if (!isSame(last, endpoints)) yield endpoints;
      last = endpoints;
      const pauseMs = Math.max(minIntervalMs, Math.min(ttlMs, intervalMs));
      await clock.sleep(pauseMs * (1 + jitter * random()), signal);
    } catch (error) {
      signal.throwIfAborted();
      await waitToRetry(`dns ${name}`, error, minIntervalMs + backoff.nextMs(), clock, signal);
    }
  }
}

/** One round of queries. A late round is canceled. */
function lookUpInTime(settings: DnsSettings, signal: AbortSignal): Promise<DnsAnswer> {
  const { name, timeoutMs, clock, resolver } = settings;
  const late = () => new DiscoveryError(`the DNS did not answer for ${name} within ${timeoutMs} ms`);
  return withDeadline({ timeoutMs, signal, clock, late }, ended => {
    onAbort(ended, () => resolver.cancel?.());
    return lookUp(settings);
  });
}

function isSame(before: readonly DnsEndpoint[], after: readonly DnsEndpoint[]): boolean {
  return before.length === after.length && before.every((each, index) => sameEndpoint(each, after[index]!));
}
