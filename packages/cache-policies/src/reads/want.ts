import type { Slot } from '../tiers/entry.ts';
import type { Flight } from './flight.ts';
import type { Terms } from './freshness.ts';

/** A key that is to be found or loaded, and for whom. */
export interface Want<K, V> {
  /** What the tiers call the key. */
  readonly id: unknown;
  readonly key: K;
  readonly flight: Flight<V>;
  readonly terms: Terms;
  /** What was kept of it, to be served when there is nothing better. */
  fallback: Slot<K, V> | undefined;
}

/** What the shared tier is asked for: more than this much freshness, or else a lease. */
export function minFreshMs<K, V>({ flight, fallback }: Want<K, V>, now: number): number {
  if (!flight.background || fallback === undefined) return 0;
  const leftMs = fallback.freshUntil - now;
  // what another process has refreshed since is fresher than halfway between this one's rest and a full life
  return leftMs <= 0 ? 0 : (leftMs + fallback.freshUntil - fallback.at) / 2;
}
