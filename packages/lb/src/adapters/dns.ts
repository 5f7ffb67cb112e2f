import { onAbort } from '@ashlar/core';
import { stoppable } from '../discovery/stoppable.ts';
import { Backoff, waitToRetry } from '../discovery/trouble.ts';
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
 * The endpoints that the DNS has under a name, asked for again and again: after the shortest TTL of the answer, between
 * `minIntervalMs` and `intervalMs`. For `new LoadBalancer({ endpoints })`.
 *
 * An answer that says the same in another order is no news. When there is no answer, or not in time, or only a part of
 * it, or an empty one, nothing changes: the channel `ashlar:lb:discovery-trouble` tells, and the next question follows
 * after `minIntervalMs`, then ever later. Of SRV records those of the lowest priority count, with their weights. Names
 * are asked of the DNS alone, not of the machine's `hosts` file. Ends when the signal aborts; never throws.
 *
 * @throws InvalidOptionError
 */
export function dnsDiscovery(name: string, options: DnsDiscoveryOptions): Discovery<DnsEndpoint> {
  const settings = dnsSettings(name, options);
  return stoppable(signal => poll(settings, signal), options.signal);
}

async function* poll(settings: DnsSettings, signal: AbortSignal): AsyncGenerator<readonly DnsEndpoint[]> {
  const { name, minIntervalMs, intervalMs, jitter, clock, random } = settings;
  const backoff = new Backoff(minIntervalMs, intervalMs, random);
  let last: readonly DnsEndpoint[] = [];
  for (;;) {
    try {
      const { endpoints, ttlMs } = await lookUpInTime(settings, signal);
      backoff.succeeded();
      if (!isSame(last, endpoints)) yield endpoints;
      last = endpoints;
      const pauseMs = Math.max(minIntervalMs, Math.min(ttlMs, intervalMs));
      await clock.sleep(pauseMs * (1 + jitter * random()), signal);
    } catch (error) {
      signal.throwIfAborted();
      await waitToRetry(`dns ${name}`, error, backoff, clock, signal);
    }
  }
}

/** The answer, or an error when it takes too long; what is still under way is given up. */
async function lookUpInTime(settings: DnsSettings, signal: AbortSignal): Promise<DnsAnswer> {
  const { name, timeoutMs, clock, resolver } = settings;
  const timer = new AbortController();
  const unlink = onAbort(signal, reason => timer.abort(reason));
  const late = clock.sleep(timeoutMs, timer.signal).then(() => {
    throw new DiscoveryError(`the DNS did not answer for ${name} within ${timeoutMs} ms`);
  });
  const answer = lookUp(settings);
  answer.catch(() => {}); // it may come too late to be awaited
  let came = false;
  try {
    const first = await Promise.race([answer, late]);
    came = true;
    return first;
  } finally {
    unlink();
    timer.abort('over');
    if (!came) resolver.cancel?.();
  }
}

function isSame(before: readonly DnsEndpoint[], after: readonly DnsEndpoint[]): boolean {
  return before.length === after.length && before.every((each, index) => sameEndpoint(each, after[index]!));
}
