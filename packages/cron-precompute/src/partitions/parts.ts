import { getJson, type Store, setJson, VersionConflictError } from '@ashlar/store';
import { type Chunk, ChunkBuffer, type Stored } from '../publish/chunks.ts';
import { digestOf } from '../publish/digest.ts';

/** What a worker has made of a part, or why it could not. */
export type PartResult =
  | { readonly chunks: readonly Chunk[] }
  | { readonly failed: string; readonly attempts: number };

/** What the workers of one data set have made, in the store, until its run has taken it over. */
export class Parts {
  readonly #store: Store;
  readonly #prefix: string;

  constructor(store: Store, name: string) {
    this.#store = store;
    this.#prefix = `precompute/${name}/parts`;
  }

  /** Says which attempt hands parts out; a worker leaves those of others. */
  async open(token: bigint): Promise<void> {
    await setJson(this.#store, `${this.#prefix}/open`, String(token));
  }

  async isOpen(token: string): Promise<boolean> {
    return (await getJson<string>(this.#store, `${this.#prefix}/open`))?.value === token;
  }

  /** Ends the work at parts, unless another attempt hands out its own. */
  async close(token: bigint): Promise<void> {
    const entry = await getJson<string>(this.#store, `${this.#prefix}/open`);
    if (entry?.value === String(token)) {
      await this.#store.delete(`${this.#prefix}/open`, { ifVersion: entry.version });
    }
  }

  async result(run: string, index: number): Promise<PartResult | undefined> {
    return (await getJson<PartResult>(this.#store, this.#key(run, index, 'result')))?.value;
  }

  /** Keeps the result of a part, unless there is one: of two workers, the first is right. */
  async fail(run: string, index: number, failed: string, attempts: number): Promise<void> {
    await this.#finish(run, index, { failed, attempts });
  }

  /** As `fail`, of a part that was loaded. No two workers write to the same key. */
  async keep(run: string, index: number, entries: Iterable<readonly [string, Stored]>): Promise<void> {
    const chunks: Chunk[] = [];
    const buffer = new ChunkBuffer();
    const send = async () => {
      const id = crypto.randomUUID();
      const { entries } = buffer;
      const bytes = buffer.take();
      await this.#store.set(this.#key(run, index, id), bytes);
      chunks.push({ id, entries, bytes: bytes.length, digest: digestOf(bytes) });
    };
    for (const [key, value] of entries) {
      if (buffer.add(key, value)) continue;
      await send();
      buffer.add(key, value);
    }
    if (buffer.entries > 0) await send();
    if (await this.#finish(run, index, { chunks })) return;
    for (const { id } of chunks) await this.#store.delete(this.#key(run, index, id));
  }

  async #finish(run: string, index: number, result: PartResult): Promise<boolean> {
    try {
      await setJson(this.#store, this.#key(run, index, 'result'), result, { ifVersion: 'absent' });
      return true;
    } catch (error) {
      if (error instanceof VersionConflictError) return false;
      throw error;
    }
  }

  /** Some entries of a part that is done. @throws when they are missing or damaged */
  async chunk(run: string, index: number, { id, digest }: Chunk): Promise<Uint8Array> {
    const entry = await this.#store.get(this.#key(run, index, id));
    if (entry !== undefined && digestOf(entry.value) === digest) return entry.value;
    throw new Error(`what a worker has made of partition ${index} is missing in the store, or damaged`);
  }

  /** Deletes what the workers have made of a part, or of every run but this one. */
  async forget(run: string, index: number): Promise<void> {
    for await (const { key } of this.#store.list(this.#key(run, index, ''))) await this.#store.delete(key);
  }

  async forgetOthers(run: string): Promise<void> {
    for await (const { key } of this.#store.list(`${this.#prefix}/of/`)) {
      if (!key.startsWith(`${this.#prefix}/of/${run}/`)) await this.#store.delete(key);
    }
  }

  /** Calls back when a part of the run may be done, until the signal aborts. */
  async follow(run: string, signal: AbortSignal, changed: () => void): Promise<void> {
    for await (const _change of this.#store.watch(`${this.#prefix}/of/${run}/`, { signal })) changed();
  }

  #key(run: string, index: number, what: string): string {
    return `${this.#prefix}/of/${run}/${String(index).padStart(8, '0')}/${what}`;
  }
}
