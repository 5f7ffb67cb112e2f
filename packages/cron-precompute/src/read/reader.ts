import { Backoff } from '@ashlar/core';
import { StoreClosedError } from '@ashlar/store';
import type { WallClock } from '../clock.ts';
import { channels } from '../diagnostics.ts';
import { currentOf, type VersionInfo } from '../publish/pointer.ts';
import type { Vault } from '../publish/vault.ts';
import { loadTable } from './shared/load-shared.ts';
import { SharedValues } from './shared/shared-values.ts';
import { loadValues, type Serializer, type Snapshot, type Values } from './snapshot.ts';

export interface ReaderOptions<V> {
  readonly vault: Vault;
  readonly serializer: Serializer<V>;
  readonly kind: 'plain' | 'shared';
  /** Values of a shared version that are kept as they were decoded. */
  readonly hotKeys: number;
  readonly clock: WallClock;
  /** How often the pointer is read when no change is announced. */
  readonly pollMs: number;
  /** Until when a version is fresh, and after when it is too old, in milliseconds since 1970. */
  freshUntil(info: VersionInfo): number;
  beyondAt(info: VersionInfo): number;
}

const again = { firstMs: 200, maxMs: 5_000 };

/** Keeps the published version in memory: watches the pointer, with a poll behind, and swaps the version as a whole. */
export class Reader<V> {
  readonly #options: ReaderOptions<V>;
  readonly #closing = new AbortController();
  #snapshot: Snapshot<V> | undefined;
  #loading: Promise<void> | undefined;
  #isBehind = false;
  #following: Promise<unknown> | undefined;
  #nap: AbortController | undefined;

  constructor(options: ReaderOptions<V>) {
    this.#options = options;
  }

  get snapshot(): Snapshot<V> | undefined {
    return this.#snapshot;
  }

  /** Resolves when the published version is loaded, or cannot be. Rejects with the store's error. */
  async start(): Promise<void> {
    this.#following ??= Promise.all([this.#watch(), this.#poll()]);
    await this.#options.vault.pointer();
    await this.refresh();
  }

  /** Loads what is published now, and resolves when it is served. Never rejects: a version that cannot be read leaves the one before. */
  async refresh(): Promise<void> {
    this.#isBehind = true;
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined;
    });
    await this.#loading;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#nap?.abort();
    await Promise.all([this.#following, this.#loading]);
  }

  async #load(): Promise<void> {
    const { vault, clock, freshUntil, beyondAt } = this.#options;
    while (this.#isBehind && !this.#closing.signal.aborted) {
      this.#isBehind = false;
      const startedAt = clock.now();
      try {
        const info = currentOf(await vault.pointer());
        if (info === undefined || info.version === this.#snapshot?.info.version) continue;
        const { values, ...built } = await this.#values(info);
        const { version, dataAt } = info;
        const times = { freshUntil: freshUntil(info), beyondAt: beyondAt(info) };
        this.#snapshot = { info, version, dataAt, values, ...times };
        if (channels.loaded.hasSubscribers) {
          const { entries } = info;
          const durationMs = clock.now() - startedAt;
          channels.loaded.publish({ name: vault.name, version, entries, durationMs, ...built });
        }
      } catch (error) {
        if (this.#closing.signal.aborted) return;
        if (channels.loadFailed.hasSubscribers) channels.loadFailed.publish({ name: vault.name, error });
      }
    }
  }

  async #values(info: VersionInfo): Promise<{ values: Values<V>; workerError?: unknown }> {
    const { vault, serializer, kind, hotKeys } = this.#options;
    const { signal } = this.#closing;
    if (kind === 'plain') return { values: await loadValues(vault, info, serializer, signal) };
    const { table, ...built } = await loadTable(vault, info, signal);
    return { values: new SharedValues(table, info.entries, serializer, hotKeys), ...built };
  }

  async #watch(): Promise<void> {
    const { vault, clock } = this.#options;
    const { signal } = this.#closing;
    const backoff = new Backoff(again);
    while (!signal.aborted) {
      try {
        for await (const _change of vault.store.watch(vault.pointerKey, { signal })) {
          backoff.reset();
          this.refresh();
        }
      } catch (error) {
        if (error instanceof StoreClosedError) return;
        await clock.sleep(backoff.nextMs(), signal).catch(() => {});
      }
    }
  }

  async #poll(): Promise<void> {
    const { clock, pollMs } = this.#options;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      this.#nap = new AbortController();
      await clock.sleep(pollMs, this.#nap.signal).catch(() => {});
      await this.refresh();
    }
  }
}
