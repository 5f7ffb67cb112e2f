// #region backend
import { backgroundClock } from '@ashlar/core';
import {
  type Backend,
  BackendStore,
  type ChangeListener,
  checkAhead,
  type Entry,
  type ManagedStore,
  toJson,
  type Version,
  VersionConflictError,
} from '@ashlar/store';

/** A backend over two plain Maps. Yours asks its server instead: each method is one atomic operation there. */
class MapBackend implements Backend {
  readonly kind = 'map';
  readonly durability = 'process';
  readonly connected = true;
  readonly batchKeys = 1_000;
  readonly window = 1;
  readonly #values = new Map<string, Entry & { readonly endsAt: number }>();
  readonly #claims = new Map<string, { holder: string; token: bigint; endsAt: number }>();
  #lastToken = 0n;
  #listener: ChangeListener | undefined;

  async read(keys: readonly string[]): Promise<(Entry | undefined)[]> {
    return keys.map(key => {
      const found = this.#live(this.#values, key);
      return found && { key, value: new Uint8Array(found.value), version: found.version };
    });
  }

  async write(key: string, value: Uint8Array, ttlMs = Infinity, ifVersion?: Version): Promise<Version> {
    const found = this.#live(this.#values, key)?.version ?? 'absent';
    if (ifVersion !== undefined && ifVersion !== found) throw new VersionConflictError(key, ifVersion, found);
    const version = crypto.randomUUID();
    const entry = { key, value: new Uint8Array(value), version, endsAt: performance.now() + ttlMs };
    this.#values.set(key, entry);
    this.#listener?.changed(key);
    if (ttlMs !== Infinity) {
      void backgroundClock.sleep(ttlMs).then(() => this.#values.get(key) === entry && this.remove(key));
    }
    return version;
  }

  async writeAll(entries: readonly (readonly [string, Uint8Array])[], ttlMs?: number): Promise<void> {
    for (const [key, value] of entries) await this.write(key, value, ttlMs);
  }

  async remove(key: string, ifVersion?: Version): Promise<boolean> {
    const found = this.#live(this.#values, key);
    if (found !== undefined && ifVersion !== undefined && ifVersion !== found.version) return false;
    if (this.#values.delete(key)) this.#listener?.changed(key);
    return found !== undefined;
  }

  async page(prefix: string): Promise<{ entries: Entry[]; next: undefined }> {
    const keys = [...this.#values.keys()].filter(key => key.startsWith(prefix));
    keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    return { entries: (await this.read(keys)).filter(entry => entry !== undefined), next: undefined };
  }

  async claim(name: string, holder: string, ttlMs: number, above = 0n) {
    const nowUs = BigInt(Date.now()) * 1_000n;
    checkAhead(above, nowUs);
    const held = this.#live(this.#claims, name);
    if (held !== undefined && held.holder !== holder) return undefined;
    const isNew = held === undefined || held.token <= above;
    const token = isNew ? [this.#lastToken, nowUs, above].reduce((a, b) => (a > b ? a : b)) + 1n : held.token;
    if (isNew) this.#lastToken = token;
    this.#claims.set(name, { holder, token, endsAt: performance.now() + ttlMs });
    return { token, remainingMs: ttlMs };
  }

  async release(name: string, token: bigint): Promise<boolean> {
    return this.#live(this.#claims, name)?.token === token && this.#claims.delete(name);
  }

  listen(listener: ChangeListener): () => void {
    this.#listener = listener;
    return () => {
      this.#listener = undefined;
    };
  }

  async close(): Promise<void> {
    this.#values.clear();
  }

  #live<T extends { readonly endsAt: number }>(map: Map<string, T>, key: string): T | undefined {
    const found = map.get(key);
    return found !== undefined && found.endsAt > performance.now() ? found : undefined;
  }
}

export function mapStore({ name = 'map' } = {}): ManagedStore {
  return new BackendStore(name, new MapBackend());
}
// #endregion backend

await using store = mapStore();
await store.set('limits', toJson({ perSecond: 100 }));
console.log(store.snapshot().backend); // map
