import {
  abortable,
  Backoff,
  backgroundClock,
  type Clock,
  clock,
  durationMs,
  type Random,
  type RulesFor,
  random,
  readOptions,
  signal,
  text,
} from '@ashlar/core';
import { publishTrouble } from '../../discovery/trouble.ts';
import type { Endpoint } from '../../endpoint.ts';
import { checkedEndpoints } from '../../endpoint.ts';
import { ClosedError, InvalidEndpointError } from '../../errors.ts';
import { decode, encode, keyOf } from './entries.ts';
import { isFinal, type RegistryStore } from './store-like.ts';

export interface RegisterOptions {
  /** The service that the endpoint is a replica of. Default: `default`. */
  readonly service?: string;
  /** How long a registration lasts without a heartbeat, in milliseconds. Heartbeats follow every third of it. Default: 15 000. */
  readonly ttlMs?: number;
  /** Ends the wait for a store that does not answer. */
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  readonly random?: Random;
}

const rules = {
  service: text('default'),
  ttlMs: durationMs(15_000, { min: 10 }),
  signal: signal(),
  clock: clock(backgroundClock),
  random: random(),
} satisfies RulesFor<RegisterOptions>;

/** The checked options of one registration. */
export interface RegistrationSettings extends Required<Omit<RegisterOptions, 'signal'>> {
  readonly signal: AbortSignal | undefined;
}

/** @throws InvalidOptionError */
export function registrationSettings(options: RegisterOptions): RegistrationSettings {
  return readOptions('register', options, rules);
}

/** Can be written as JSON. */
export interface RegistrationSnapshot {
  readonly service: string;
  readonly id: string;
  /** `registered`: the store has the last heartbeat. `unconfirmed`: it failed or is in flight, and is repeated. */
  readonly state: 'registered' | 'unconfirmed' | 'closed';
}

/** An endpoint in the registry of a service, kept by heartbeats. Heartbeats do not keep the process alive. */
export class Registration<E extends Endpoint> implements AsyncDisposable {
  readonly service: string;
  readonly id: string;
  readonly #store: RegistryStore;
  readonly #settings: RegistrationSettings;
  readonly #key: string;
  readonly #source: string;
  readonly #instance = crypto.randomUUID();
  readonly #ended = new AbortController();
  readonly #backoff: Backoff;
  #value: Uint8Array;
  #confirmed = false;
  /** Writes follow one another, so that an older one never overwrites a newer one. */
  #writing: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(store: RegistryStore, endpoint: E, settings: RegistrationSettings) {
    const { service, ttlMs, random } = settings;
    this.#store = store;
    this.#settings = settings;
    this.service = service;
    this.#value = encode({ endpoint, ttlMs, instance: this.#instance });
    this.id = endpoint.id;
    this.#key = keyOf(service, endpoint.id);
    this.#source = `registry ${service}`;
    this.#backoff = new Backoff({ firstMs: ttlMs / 10, maxMs: ttlMs / 2 }, random);
  }

  /** Resolves when the store has the first heartbeat. */
  async begin(): Promise<void> {
    const { signal } = this.#settings;
    try {
      for (let written = false; !written; ) written = await this.#beat(signal);
    } catch (error) {
      // A write in flight may still arrive: remove it in the background
      void this[Symbol.asyncDispose]();
      throw error;
    }
    this.#keep().catch(() => {}); // ends with the registration
  }

  snapshot(): RegistrationSnapshot {
    const { service, id } = this;
    const state = this.#confirmed ? 'registered' : 'unconfirmed';
    return { service, id, state: this.#closing === undefined ? state : 'closed' };
  }

  /**
   * Replaces the description of the endpoint, as with weight 0 before it leaves. The id must stay the same. Rejects with
   * the store's error when the write fails; the next heartbeat writes it again. Rejects with ClosedError after `close`.
   *
   * @throws InvalidEndpointError
   */
  async update(endpoint: E): Promise<void> {
    const { id } = this;
    if (this.#ended.signal.aborted) throw new ClosedError(`the registration of ${id}`, 'NotExecuted');
    checkedEndpoints([endpoint]);
    if (endpoint.id !== id) {
      throw new InvalidEndpointError(0, `is not ${JSON.stringify(id)} but ${JSON.stringify(endpoint.id)}`);
    }
    this.#value = encode({ endpoint, ttlMs: this.#settings.ttlMs, instance: this.#instance });
    await this.#write();
  }

  /**
   * Removes the endpoint from the registry, so that clients send it no new requests. May be called again. Rejects with
   * the store's error when the removal fails; the endpoint then stays until its `ttlMs` expires.
   */
  close(): Promise<void> {
    this.#ended.abort(new Error('the registration is closed'));
    this.#closing ??= this.#remove().catch((error: unknown) => {
      this.#closing = undefined;
      throw error;
    });
    return this.#closing;
  }

  /** As `close`, but does not throw: when the removal fails, the endpoint stays until its `ttlMs` expires. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close().catch((error: unknown) => publishTrouble(this.#source, error));
  }

  async #keep(): Promise<void> {
    const { ttlMs, clock, random } = this.#settings;
    const { signal } = this.#ended;
    for (let confirmed = true; !signal.aborted; ) {
      if (confirmed) await clock.sleep((ttlMs / 3) * (0.9 + 0.2 * random()), signal);
      confirmed = await this.#beat(signal);
    }
  }

  /** One heartbeat. Returns false after a pause when it failed; throws when no later one can succeed. */
  async #beat(signal: AbortSignal | undefined): Promise<boolean> {
    try {
      await abortable(this.#write(), signal);
      this.#backoff.reset();
      return true;
    } catch (error) {
      signal?.throwIfAborted();
      const retryInMs = this.#backoff.nextMs();
      publishTrouble(this.#source, error, retryInMs);
      if (isFinal(error)) throw error;
      await this.#settings.clock.sleep(retryInMs, signal);
      return false;
    }
  }

  #write(): Promise<unknown> {
    const { ttlMs } = this.#settings;
    const writing = this.#writing.then(async () => {
      this.#confirmed = false;
      // Also restores an entry that the store has lost
      await this.#store.set(this.#key, this.#value, { ttlMs });
      this.#confirmed = true;
    });
    this.#writing = writing.catch(() => {});
    return writing;
  }

  async #remove(): Promise<void> {
    await this.#writing;
    const entry = await this.#store.get(this.#key);
    if (entry === undefined || decode(entry.value).instance !== this.#instance) return;
    await this.#store.delete(this.#key, { ifVersion: entry.version });
  }
}
