import {
  abortable,
  backgroundClock,
  type Clock,
  knownOptions,
  numberOption,
  type Random,
} from '@ashlar/core';
import { Backoff, publishTrouble } from '../../discovery/trouble.ts';
import type { Endpoint } from '../../endpoint.ts';
import { InvalidEndpointError } from '../../errors.ts';
import { decode, encode, keyOf } from './entries.ts';
import { isFinal, type RegistryStore } from './store-like.ts';

export interface RegisterOptions {
  /** What it is a replica of; `default` if absent. */
  readonly service?: string;
  /** How long it counts without a sign of life, of which there are three in that time; 15 000 if absent. */
  readonly ttlMs?: number;
  /** Ends the waiting for a store that does not answer. */
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** The checked options of one registration. */
export interface RegistrationSettings {
  readonly service: string;
  readonly ttlMs: number;
  readonly signal: AbortSignal | undefined;
  readonly clock: Clock;
  readonly random: Random;
}

/** @throws InvalidOptionError */
export function registrationSettings(options: RegisterOptions): RegistrationSettings {
  knownOptions('register', options, ['service', 'ttlMs', 'signal', 'clock', 'random']);
  const {
    service = 'default',
    ttlMs = 15_000,
    signal,
    clock = backgroundClock,
    random = Math.random,
  } = options;
  return { service, ttlMs: numberOption('ttlMs', ttlMs, { min: 10 }), signal, clock, random };
}

/** Safe as JSON. */
export interface RegistrationSnapshot {
  readonly service: string;
  readonly id: string;
  /** `registered`: the last sign of life was taken. `unconfirmed`: it was not, and is tried again. */
  readonly state: 'registered' | 'unconfirmed' | 'closed';
}

/** An endpoint in the registry of a service, for as long as it gives signs of life. It does not keep the process alive. */
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
  /** Writes follow one another, so that none that is older overtakes. */
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
    this.#backoff = new Backoff(ttlMs / 20, ttlMs / 3, random);
  }

  /** Resolves when it is registered for the first time. */
  async begin(): Promise<void> {
    const { signal } = this.#settings;
    try {
      for (let written = false; !written; ) written = await this.#beat(signal);
    } catch (error) {
      // What is on its way may yet arrive; nobody waits for that
      void this[Symbol.asyncDispose]();
      throw error;
    }
    this.#keep().catch(() => {}); // it ends with the registration
  }

  snapshot(): RegistrationSnapshot {
    const { service, id } = this;
    const state = this.#confirmed ? 'registered' : 'unconfirmed';
    return { service, id, state: this.#closing === undefined ? state : 'closed' };
  }

  /**
   * Says something else of the endpoint, as its weight 0 before it leaves; its id stays. Rejects with the store's error
   * when that could not be written: it is then told with the next sign of life.
   *
   * @throws InvalidEndpointError
   */
  async update(endpoint: E): Promise<void> {
    const { id } = this;
    if (endpoint.id !== id) {
      throw new InvalidEndpointError(0, `is not ${JSON.stringify(id)} but ${JSON.stringify(endpoint.id)}`);
    }
    this.#value = encode({ endpoint, ttlMs: this.#settings.ttlMs, instance: this.#instance });
    await this.#write();
  }

  /**
   * Takes the endpoint out of the registry, so that nobody sends it new requests. Repeatable. Rejects with the store's
   * error when that could not be told: it then counts until its time is over.
   */
  close(): Promise<void> {
    this.#ended.abort(new Error('the registration is closed'));
    this.#closing ??= this.#remove().catch((error: unknown) => {
      this.#closing = undefined;
      throw error;
    });
    return this.#closing;
  }

  /** As `close`, but leaves the endpoint to its time when the store cannot be told. */
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

  /** One sign of life; when the store did not take it, false after a pause. Throws where no other would be taken. */
  async #beat(signal: AbortSignal | undefined): Promise<boolean> {
    try {
      await abortable(this.#write(), signal);
      this.#backoff.succeeded();
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
      // Also what the store has lost is there again by this
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
