import { entriesOf } from '../publish/chunks.ts';
import type { VersionInfo } from '../publish/pointer.ts';
import type { Vault } from '../publish/vault.ts';
import { soon } from './soon.ts';

/** How values become bytes, and come back. */
export interface Serializer<V> {
  serialize(value: V): Uint8Array;
  deserialize(bytes: Uint8Array): V;
}

/** The values of a version; a `Map` is one. */
export interface Values<V> {
  readonly size: number;
  get(key: string): V | undefined;
  keys(): Iterable<string>;
}

/** A version in memory. Never changes. */
export interface Snapshot<V> {
  readonly info: VersionInfo;
  /** As `info` has them, at hand for every read. */
  readonly version: number;
  readonly dataAt: number;
  readonly values: Values<V>;
  /** Milliseconds since 1970, and how long it may be served at most: never less. */
  readonly freshUntil: number;
  readonly beyondAt: number;
}

/**
 * Reads a whole version: each chunk must be as it was written. While it does, both this one and the one before it are in memory, and
 * one chunk.
 *
 * @throws MissingVersionError, what `deserialize` throws
 */
export async function loadValues<V>(
  vault: Vault,
  info: VersionInfo,
  serializer: Serializer<V>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, V>> {
  const { chunks } = await vault.manifest(info.version);
  const values = new Map<string, V>();
  for (const chunk of chunks) {
    if (values.size > 0) await soon(); // A store in this process answers within the turn
    signal.throwIfAborted();
    for (const [key, bytes] of entriesOf(await vault.chunk(info.version, chunk))) {
      if (bytes === undefined) values.delete(key);
      else values.set(key, bytes === null ? (null as V) : serializer.deserialize(bytes));
    }
  }
  return values;
}
