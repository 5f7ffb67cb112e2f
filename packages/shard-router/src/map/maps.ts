import { fromJson, getJson, type Store, setJson, VersionConflictError } from '@ashlar/store';
import { MapFormatError, ShardMapError } from '../errors/routing.ts';
import type { SlotLoad } from '../load/load.ts';
import { faultOf } from './map-fault.ts';
import { mapFormat, type ShardMap } from './shard-map.ts';

/** What a router says of itself in the store, for as long as it may go by its copy of the map. */
export interface RouterEntry {
  readonly id: string;
  /** Of the map that it goes by; 0 while it has none. */
  readonly revision: number;
  /** The shards that it can reach. */
  readonly shards: readonly string[];
  /** What its calls were lately. */
  readonly load?: SlotLoad;
}

/** What a change makes of a map; undefined when there is nothing left to change. */
export type MapChange = (map: ShardMap) => Omit<ShardMap, 'revision'> | undefined;

/** The record of one router's map, which all its processes share, and the entries of these processes. */
export class Maps {
  readonly #store: Store;
  readonly #name: string;
  readonly #key: string;
  readonly #routers: string;

  constructor(store: Store, name: string) {
    this.#store = store;
    this.#name = name;
    // No router's prefix begins with that of another
    const prefix = `shards:${encodeURIComponent(name)}:`;
    this.#key = `${prefix}map`;
    this.#routers = `${prefix}routers:`;
  }

  /** @throws ShardMapError when the record is no map */
  async read(): Promise<ShardMap | undefined> {
    return (await this.#read())?.value;
  }

  /** Writes the first map, or returns the one that is there. */
  async readOr(first: ShardMap): Promise<ShardMap> {
    for (;;) {
      const map = await this.read();
      if (map !== undefined) return map;
      try {
        await setJson(this.#store, this.#key, first, { ifVersion: 'absent' });
        return first;
      } catch (error) {
        // Another process was first
        if (!(error instanceof VersionConflictError)) throw error;
      }
    }
  }

  /**
   * Changes the map with one compare-and-set, and returns it as it is then. The change is called again when another process was
   * first. When the answer of the store was lost, it rejects with the store's error: call again, and the change finds what is left.
   *
   * @throws ShardMapError when there is no map, or the change would make a damaged one
   */
  async change(change: MapChange): Promise<ShardMap> {
    for (;;) {
      const entry = await this.#read();
      if (entry === undefined) throw new ShardMapError(this.#name, 'is not in the store');
      const changed = change(entry.value);
      if (changed === undefined) return entry.value;
      const next = { ...changed, revision: entry.value.revision + 1 };
      const fault = faultOf(next);
      if (fault !== undefined) throw new ShardMapError(this.#name, `would be damaged: it ${fault}`);
      try {
        await setJson(this.#store, this.#key, next, { ifVersion: entry.version });
        return next;
      } catch (error) {
        if (!(error instanceof VersionConflictError)) throw error;
      }
    }
  }

  /** Yields whenever the map may have changed, until the signal aborts. */
  async *changes(signal: AbortSignal): AsyncGenerator<void> {
    for await (const _ of this.#store.watch(this.#key, { signal })) yield;
  }

  /** Says, for `ttlMs`, what a router goes by. */
  async enter({ id, ...entry }: RouterEntry, ttlMs: number): Promise<void> {
    await setJson(this.#store, `${this.#routers}${id}`, entry, { ttlMs });
  }

  /** The router goes by its copy no more. */
  async leave(id: string): Promise<void> {
    await this.#store.delete(`${this.#routers}${id}`);
  }

  /** The routers that may go by a copy of theirs. */
  async routers(): Promise<RouterEntry[]> {
    const routers: RouterEntry[] = [];
    for await (const entry of this.#store.list(this.#routers)) {
      const { key, value } = fromJson<Omit<RouterEntry, 'id'>>(entry);
      routers.push({ id: key.slice(this.#routers.length), ...value });
    }
    return routers;
  }

  async #read() {
    const entry = await getJson<ShardMap>(this.#store, this.#key);
    if (entry === undefined) return undefined;
    // First: what this version does not know of is no damage
    const { format = 1 } = (entry.value ?? {}) as Partial<ShardMap>;
    if (typeof format === 'number' && format > mapFormat)
      throw new MapFormatError(this.#name, format, mapFormat);
    const fault = faultOf(entry.value);
    if (fault !== undefined) throw new ShardMapError(this.#name, fault);
    return entry;
  }
}
