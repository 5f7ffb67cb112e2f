import { type Chunk, ChunkBuffer, entriesOf, type Stored } from './chunks.ts';
import { digestOf } from './digest.ts';
import type { Manifest } from './pointer.ts';
import { digestOfChunks, type Vault } from './vault.ts';

/** What another process needs to go on with a build: JSON. */
export interface BuildState {
  readonly version: number;
  readonly dataAt: number;
  readonly chunks: readonly Chunk[];
}

export type Persist = <T>(attempt: () => Promise<T>) => Promise<T>;

/** Chunks that may be on their way to the store at once, and so in memory. */
const maxInFlight = 4;

/** One version on its way into the store, beside those that are there. */
export class Build {
  readonly version: number;
  readonly dataAt: number;
  readonly #vault: Vault;
  readonly #persist: Persist;
  readonly #token: bigint;
  readonly #chunks: Chunk[];
  readonly #buffer = new ChunkBuffer();
  readonly #inFlight = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;
  #numbered = 0;
  /** Every key of the version, and whether its value is `null`. */
  readonly #isNull = new Map<string, boolean>();

  /** @param persist repeats what fails with an error that a later attempt may mend */
  constructor(vault: Vault, token: bigint, { version, dataAt, chunks }: BuildState, persist: Persist) {
    this.#persist = persist;
    this.version = version;
    this.dataAt = dataAt;
    this.#vault = vault;
    this.#token = token;
    this.#chunks = [...chunks];
  }

  /** Waits only when the store is behind. @throws EntryTooLargeError, the store's error of an earlier chunk */
  async add(key: string, value: Stored): Promise<void> {
    if (!this.#buffer.add(key, value)) {
      await this.#send();
      this.#buffer.add(key, value);
    }
    this.#know(key, value);
  }

  /** Resolves when all that was added is in the store. */
  async flush(): Promise<BuildState> {
    if (this.#buffer.entries > 0) await this.#send();
    await Promise.all(this.#inFlight);
    this.#throwFailure();
    const { version, dataAt } = this;
    return { version, dataAt, chunks: [...this.#chunks] };
  }

  /** Reads what an attempt before this one has written. */
  async recall(): Promise<void> {
    for (const chunk of this.#chunks) {
      for (const [key, value] of entriesOf(await this.#chunk(this.version, chunk))) this.#know(key, value);
    }
  }

  /**
   * Writes the manifest. With a base, the entries of both are written anew, the later one of a key: a version is whole by itself,
   * and its values are in memory meanwhile. Without one, the keys are.
   */
  async finish(base?: Manifest): Promise<Manifest> {
    const added = (await this.flush()).chunks;
    let leftovers: string[] = [];
    if (base !== undefined) {
      const merged = new Map<string, Stored>();
      await this.#merge(merged, base.version, base.chunks);
      await this.#merge(merged, this.version, added);
      leftovers = this.#chunks.splice(0).map(({ id }) => id);
      this.#isNull.clear();
      for (const [key, value] of merged) await this.add(key, value);
    }
    const { version, dataAt, chunks } = await this.flush();
    let nulls = 0;
    for (const isNull of this.#isNull.values()) if (isNull) nulls++;
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.bytes, 0);
    const counts = { entries: this.#isNull.size, nulls, bytes };
    const fullAt = base?.fullAt ?? dataAt;
    const manifest = {
      version,
      ...counts,
      dataAt,
      fullAt,
      chunks,
      leftovers,
      digest: digestOfChunks(chunks),
    };
    await this.#persist(() => this.#vault.setManifest(manifest));
    return manifest;
  }

  async #merge(into: Map<string, Stored>, version: number, chunks: readonly Chunk[]): Promise<void> {
    for (const chunk of chunks) {
      for (const [key, value] of entriesOf(await this.#chunk(version, chunk))) {
        if (value === undefined) into.delete(key);
        else into.set(key, value);
      }
    }
  }

  #know(key: string, value: Stored): void {
    if (value === undefined) this.#isNull.delete(key);
    else this.#isNull.set(key, value === null);
  }

  async #send(): Promise<void> {
    const { entries } = this.#buffer;
    const bytes = this.#buffer.take();
    const id = `${this.#token}-${this.#numbered++}`;
    this.#chunks.push({ id, entries, bytes: bytes.length, digest: digestOf(bytes) });
    const sending = this.#persist(() => this.#vault.setChunk(this.version, id, bytes)).catch(
      (error: unknown) => {
        this.#failure ??= { error };
      },
    );
    const tracked = sending.finally(() => this.#inFlight.delete(tracked));
    this.#inFlight.add(tracked);
    if (this.#inFlight.size >= maxInFlight) await Promise.race(this.#inFlight);
    this.#throwFailure();
  }

  #chunk(version: number, chunk: Chunk): Promise<Uint8Array> {
    return this.#persist(() => this.#vault.chunk(version, chunk));
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
