import type { StaleServedMessage } from '../diagnostics.ts';
import { LoadCycleError, LoadError, LoadTimeoutError } from '../errors.ts';
import type { CacheState } from '../state.ts';
import type { Flight } from './flight.ts';

/** Resolves the flight with its stale value, if that may still be served for the reason. */
export function serveStale<K, V>(
  { clock, freshness, events }: CacheState<K, V>,
  flight: Flight<K, V>,
  reason: StaleServedMessage['reason'],
): boolean {
  const { key, fallback } = flight;
  if (fallback === undefined) return false;
  const until = reason === 'refresh' ? freshness.usableUntil(fallback) : freshness.keptUntil(fallback);
  if (fallback.value === undefined || clock.now() >= until) return false;
  if (flight.isAwaited) events.staleServed(key, reason);
  flight.tags = fallback.tags;
  flight.resolve(fallback.value, until);
  return true;
}

/** No refresh of the stale value begins for so long. */
export function postponeRefresh<K, V>(state: CacheState<K, V>, flight: Flight<K, V>, forMs: number): void {
  const { fallback } = flight;
  if (fallback === undefined) return;
  fallback.retryAt = state.clock.now() + forMs;
  state.tryKeep(flight, fallback);
}

/** Resolves the flight with its stale value, which is then not refreshed during `errorBackoffMs`, or rejects it. */
export function fail<K, V>(state: CacheState<K, V>, flight: Flight<K, V>, error: unknown): void {
  const { name, errorBackoffMs } = state.settings;
  postponeRefresh(state, flight, errorBackoffMs);
  if (serveStale(state, flight, 'error')) return;
  state.flights.detach(flight);
  const isOwn = error instanceof LoadTimeoutError || error instanceof LoadCycleError;
  flight.reject(isOwn ? error : new LoadError(name, flight.key, error));
}
