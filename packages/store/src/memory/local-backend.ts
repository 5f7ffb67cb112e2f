import type { Clock } from '@ashlar/core';
import type { Backend, ChangeListener, Page } from '../backend.ts';
import { VersionConflictError } from '../errors.ts';
import { checkAhead } from '../limits.ts';
import type { Claim, Entry, Version } from '../store.ts';
import { versionSource } from '../versions.ts';
import { SortedKeys } from './sorted-keys.ts';
import { TimedMap } from './timed-map.ts';

const pageKeys = 256;

interface Value {
  readonly bytes: Uint8Array;
  readonly version: Version;
}

interface Held {
  readonly token: bigint;
  readonly holder: string;
}

/** State in the memory of this process. Bytes are copied on their way in and out. */
export class LocalBackend implements Backend {
  readonly kind = 'memory';
  readonly durability = 'process';
  readonly connected = true;
  readonly batchKeys = 1_000;
  readonly window = 1;
  readonly #keys = new SortedKeys();
  readonly #values: TimedMap<Value>;
  readonly #claims: TimedMap<Held>;
  readonly #nextVersion = versionSource();
  readonly #microseconds: () => bigint;
  readonly #listeners = new Set<ChangeListener>();
  #lastToken = 0n;

  /** @param epochMs when the clock was 0: tokens are microseconds since 1970 at least, so they grow over restarts too */
  constructor(clock: Clock, epochMs: number) {
    this.#values = new TimedMap(clock, key => this.#gone(key));
    this.#claims = new TimedMap(clock, () => {});
    this.#microseconds = () => BigInt(Math.floor((epochMs + clock.now()) * 1_000));
  }

  async read(keys: readonly string[]): Promise<(Entry | undefined)[]> {
    return keys.map(key => this.#entry(key));
  }

  async write(
    key: string,
    value: Uint8Array,
    ttlMs: number | undefined,
    ifVersion: Version | undefined,
  ): Promise<Version> {
    const found = this.#values.get(key)?.version ?? 'absent';
    if (ifVersion !== undefined && ifVersion !== found) throw new VersionConflictError(key, ifVersion, found);
    const version = this.#nextVersion();
    this.#values.set(key, { bytes: new Uint8Array(value), version }, ttlMs);
    if (found === 'absent') this.#keys.add(key);
    this.#changed(key);
    return version;
  }

  async writeAll(
    entries: readonly (readonly [string, Uint8Array])[],
    ttlMs: number | undefined,
  ): Promise<void> {
    for (const [key, value] of entries) await this.write(key, value, ttlMs, undefined);
  }

  async remove(key: string, ifVersion: Version | undefined): Promise<boolean> {
    const found = this.#values.get(key);
    if (found === undefined || (ifVersion !== undefined && ifVersion !== found.version)) return false;
    this.#values.delete(key);
    this.#gone(key);
    return true;
  }

  async page(prefix: string, after: string | undefined): Promise<Page> {
    const keys = this.#keys.page(prefix, after, pageKeys);
    const entries = keys.map(key => this.#entry(key)).filter(entry => entry !== undefined);
    return { entries, next: keys.length === pageKeys ? keys.at(-1) : undefined };
  }

  async claim(
    name: string,
    holder: string,
    ttlMs: number,
    above: bigint | undefined,
  ): Promise<Claim | undefined> {
    checkAhead(above, this.#microseconds());
    const held = this.#claims.get(name);
    if (held !== undefined && held.holder !== holder) return undefined;
    const isEnough = held !== undefined && (above === undefined || held.token > above);
    const token = isEnough ? held.token : this.#nextToken(above);
    this.#claims.set(name, { token, holder }, ttlMs);
    return { token, remainingMs: ttlMs };
  }

  async release(name: string, token: bigint): Promise<boolean> {
    return this.#claims.get(name)?.token === token && this.#claims.delete(name);
  }

  /** Takes any number of listeners: the store of this thread, and one for each port. */
  listen(listener: ChangeListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#values.clear();
    this.#claims.clear();
  }

  #entry(key: string): Entry | undefined {
    const value = this.#values.get(key);
    return value && { key, value: new Uint8Array(value.bytes), version: value.version };
  }

  #nextToken(above = 0n): bigint {
    this.#lastToken = largest(this.#lastToken + 1n, this.#microseconds(), above + 1n);
    return this.#lastToken;
  }

  #gone(key: string): void {
    this.#keys.delete(key);
    this.#changed(key);
  }

  #changed(key: string): void {
    for (const listener of this.#listeners) listener.changed(key);
  }
}

function largest(first: bigint, ...others: bigint[]): bigint {
  return others.reduce((a, b) => (a > b ? a : b), first);
}
