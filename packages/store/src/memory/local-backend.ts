import type { Clock } from '@ashlar/core';
import type { Backend, News, Page } from '../backend.ts';
import { VersionConflictError } from '../errors.ts';
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

/** State in this process's memory. Bytes are copied on their way in and out. */
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
  readonly #listeners = new Set<News>();
  #lastToken = 0n;

  /** Tokens are microseconds since `epochMs` at least, so that they grow over runs of the program too. */
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

  /** Here there may be any number of listeners: this thread's store, and one for each port. */
  listen(news: News): () => void {
    this.#listeners.add(news);
    return () => this.#listeners.delete(news);
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
    for (const news of this.#listeners) news.changed(key);
  }
}

function largest(first: bigint, ...others: bigint[]): bigint {
  return others.reduce((a, b) => (a > b ? a : b), first);
}
