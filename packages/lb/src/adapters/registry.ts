import { backgroundClock, type Clock, InvalidOptionError, knownOptions, type Random } from '@ashlar/core';
import { stoppable } from '../discovery/stoppable.ts';
import { Backoff } from '../discovery/trouble.ts';
import type { Discovery, Endpoint } from '../endpoint.ts';
import { prefixOf } from './registry/entries.ts';
import { readRegistry } from './registry/read.ts';
import { type RegisterOptions, Registration, registrationSettings } from './registry/registration.ts';
import type { RegistryStore } from './registry/store-like.ts';

export type { DiscoveryTroubleMessage } from '../discovery/trouble.ts';
export type { RegisterOptions, Registration, RegistrationSnapshot } from './registry/registration.ts';
export type { RegistryChange, RegistryEntry, RegistryStore } from './registry/store-like.ts';

/**
 * Makes the endpoint known to whoever discovers its service over the same store, until the registration is closed or no
 * sign of life has come for `ttlMs`. It is there again by the next sign of life, a third of `ttlMs`, when the store has
 * lost it, or the process stood still.
 *
 * Resolves when the store has taken it; a store that does not answer is asked again and again. Rejects with the signal's
 * reason, and with the store's error when the store is closed or refuses it. Ids are unique within a service: of two
 * that live, the one who wrote last counts.
 *
 * @throws InvalidOptionError, InvalidEndpointError
 */
export async function register<E extends Endpoint>(
  store: RegistryStore,
  endpoint: E,
  options: RegisterOptions = {},
): Promise<Registration<E>> {
  const registration = new Registration(checkedStore(store), endpoint, registrationSettings(options));
  await registration.begin();
  return registration;
}

export interface DiscoverOptions {
  /** Ends the discovery. */
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  readonly random?: Random;
}

/**
 * The endpoints that are registered for the service, now and after each change, for `new LoadBalancer({ endpoints })`.
 *
 * One that is closed or has expired is left out at once. While the store does not answer, nothing changes. What the store
 * has lost, as by a restart without its data, stays for its own `ttlMs`: whoever is alive has registered again by
 * then. Of an entry that cannot be read, and of outages, the channel `ashlar:lb:discovery-trouble` tells. Ends when the
 * signal aborts; throws the store's error when that is closed.
 *
 * @throws InvalidOptionError
 */
export function discover<E extends Endpoint = Endpoint>(
  store: RegistryStore,
  service = 'default',
  options: DiscoverOptions = {},
): Discovery<E> {
  knownOptions('discover', options, ['signal', 'clock', 'random']);
  const { signal, clock = backgroundClock, random = Math.random } = options;
  const reading = {
    store: checkedStore(store),
    prefix: prefixOf(service),
    source: `registry ${service}`,
    clock,
  };
  return stoppable(
    ending => readRegistry<E>({ ...reading, backoff: new Backoff(200, 5_000, random) }, ending),
    signal,
  );
}

function checkedStore(store: RegistryStore): RegistryStore {
  if (typeof store?.watch === 'function') return store;
  throw new InvalidOptionError('store', '`store` must be a Store, as of @ashlar/store');
}
