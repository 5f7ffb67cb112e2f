import { getJson, type Store, setJson, VersionConflictError } from '@ashlar/store';
import { MissingVersionError } from '../errors.ts';
import type { Chunk } from './chunks.ts';
import { digestOf } from './digest.ts';
import { type Manifest, noPointer, type Pointer } from './pointer.ts';

/** The values of one precomputed data set in the store: the pointer, and each version under a prefix of its own. */
export class Vault {
  readonly name: string;
  readonly store: Store;
  readonly #prefix: string;

  constructor(store: Store, name: string) {
    this.store = store;
    this.name = name;
    this.#prefix = `precompute/${name}`;
  }

  get pointerKey(): string {
    return `${this.#prefix}/pointer`;
  }

  async pointer(): Promise<Pointer> {
    return (await getJson<Pointer>(this.store, this.pointerKey))?.value ?? noPointer;
  }

  /** Reads and writes until no other has written in between. `change` returns what it was given when it changes nothing. */
  async update(change: (pointer: Pointer) => Pointer): Promise<Pointer> {
    for (;;) {
      const entry = await getJson<Pointer>(this.store, this.pointerKey);
      const pointer = entry?.value ?? noPointer;
      const next = change(pointer);
      if (next === pointer) return pointer;
      try {
        await setJson(this.store, this.pointerKey, next, { ifVersion: entry?.version ?? 'absent' });
        return next;
      } catch (error) {
        if (!(error instanceof VersionConflictError)) throw error;
      }
    }
  }

  /** @throws MissingVersionError */
  async manifest(version: number): Promise<Manifest> {
    const manifest = await this.#findManifest(version);
    if (manifest === undefined) throw new MissingVersionError(this.name, version, 'it has no manifest');
    const { chunks, digest } = manifest;
    if (digest === digestOfChunks(chunks)) return manifest;
    throw new MissingVersionError(this.name, version, 'its manifest is damaged');
  }

  async #findManifest(version: number): Promise<Manifest | undefined> {
    return (await getJson<Manifest>(this.store, this.#manifestKey(version)))?.value;
  }

  async setManifest(manifest: Manifest): Promise<void> {
    await setJson(this.store, this.#manifestKey(manifest.version), manifest);
  }

  async setChunk(version: number, id: string, bytes: Uint8Array): Promise<void> {
    await this.store.set(this.#chunkKey(version, id), bytes);
  }

  /** The bytes, as they were written. @throws MissingVersionError */
  async chunk(version: number, { id, digest }: Chunk): Promise<Uint8Array> {
    const bytes = await this.unchecked(version, id);
    if (digestOf(bytes) === digest) return bytes;
    throw new MissingVersionError(this.name, version, `chunk ${id} is damaged`);
  }

  /** As `chunk`, for who compares the digest elsewhere. @throws MissingVersionError when it is missing */
  async unchecked(version: number, id: string): Promise<Uint8Array> {
    const entry = await this.store.get(this.#chunkKey(version, id));
    if (entry !== undefined) return entry.value;
    throw new MissingVersionError(this.name, version, `chunk ${id} is missing`);
  }

  /**
   * Deletes a version that no pointer leads to. May be called again after a crash: the manifest goes last. Lists what is left when
   * the manifest's chunks are gone, as attempts that crashed have written chunks that no manifest has.
   */
  async deleteVersion(version: number): Promise<void> {
    const manifest = await this.#findManifest(version);
    const ids = manifest === undefined ? [] : [...manifest.chunks.map(({ id }) => id), ...manifest.leftovers];
    for (const id of ids) await this.store.delete(this.#chunkKey(version, id));
    for await (const { key } of this.store.list(this.#chunkKey(version, ''))) await this.store.delete(key);
    await this.store.delete(this.#manifestKey(version));
  }

  #manifestKey(version: number): string {
    return `${this.#prefix}/versions/${version}/manifest`;
  }

  #chunkKey(version: number, id: string): string {
    return `${this.#prefix}/versions/${version}/chunks/${id}`;
  }
}

export function digestOfChunks(chunks: readonly Chunk[]): string {
  return digestOf(chunks.map(({ id, digest }) => `${id} ${digest}`).join('\n'));
}
