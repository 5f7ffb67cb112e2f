import {
  Backoff,
  backgroundClock,
  type Clock,
  clock,
  objectWith,
  type Random,
  type RulesFor,
  random,
  readOptions,
  required,
  signal,
} from '@ashlar/core';
import { stoppable } from '../discovery/stoppable.ts';
import type { Discovery, Endpoint } from '../endpoint.ts';
import { prefixOf } from './registry/entries.ts';
import { readRegistry } from './registry/read.ts';
import { type RegisterOptions, Registration, registrationSettings } from './registry/registration.ts';
import type { RegistryStore } from './registry/store-like.ts';

export type { DiscoveryTroubleMessage } from '../discovery/trouble.ts';
export type { RegisterOptions, Registration, RegistrationSnapshot } from './registry/registration.ts';
export type { RegistryChange, RegistryEntry, RegistryStore } from './registry/store-like.ts';

/**
 * Registers the endpoint for every client that discovers its service over the same store, until `close` or until no
 * heartbeat arrives for `ttlMs`. The next heartbeat, a third of `ttlMs` later, restores an entry that the store has lost
 * or that expired while the process was suspended.
 *
 * Resolves when the store has the entry; a store that does not answer is retried with back-off. Rejects with the signal's
 * reason, or with the store's error when the store is closed or refuses the entry. Ids are unique within a service: of
 * two live registrations with the same id, the last write wins.
 *
 * @throws InvalidOptionError, InvalidEndpointError
 */
export async function register<E extends Endpoint>(
  store: RegistryStore,
  endpoint: E,
  options: RegisterOptions = {},
): Promise<Registration<E>> {
  const registration = new Registration(storeRule(store, 'store'), endpoint, registrationSettings(options));
  await registration.begin();
  return registration;
}

export interface DiscoverOptions {
  /** Ends the discovery. */
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  readonly random?: Random;
}

const discoverRules = {
  signal: signal(),
  clock: clock(backgroundClock),
  random: random(),
} satisfies RulesFor<DiscoverOptions>;

/**
 * The endpoints that are registered for the service, now and after each change, for `new LoadBalancer({ endpoints })`.
 *
 * Closed and expired registrations leave at once. While the store does not answer, nothing changes. Entries that the
 * store has lost, as by a restart without its data, stay for their own `ttlMs`, in which live replicas register again.
 * Malformed entries and outages are published on the channel `ashlar:lb:discovery-trouble`. Ends when the signal aborts;
 * throws the store's error when the store is closed.
 *
 * @param service Default: `default`.
 * @throws InvalidOptionError
 */
export function discover<E extends Endpoint = Endpoint>(
  store: RegistryStore,
  service = 'default',
  options: DiscoverOptions = {},
): Discovery<E> {
  const reading = {
    store: storeRule(store, 'store'),
    prefix: prefixOf(service),
    source: `registry ${service}`,
  };
  const { signal, clock, random } = readOptions('discover', options, discoverRules);
  const backoff = () => new Backoff({ firstMs: 400, maxMs: 7_500 }, random);
  return stoppable(ending => readRegistry<E>({ ...reading, clock, backoff: backoff() }, ending), signal);
}

const storeAdvice = "write `redisStore({ redis })`, imported from '@ashlar/store/redis'";
const storeRule = required(
  objectWith<RegistryStore>(['get', 'set', 'delete', 'list', 'watch'], storeAdvice),
  storeAdvice,
);
