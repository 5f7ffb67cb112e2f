import { JournalError } from '../errors.ts';
import type { Serializer } from '../serializer.ts';
import type { Accepted } from './backlog.ts';
import type { JournalStore } from './write-behind.ts';

interface Header<K> {
  readonly key: K;
  readonly sequence: number;
  readonly deletes?: true;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });
const newline = 10;

/**
 * What is pending, in a store: the last accepted write of each key, under the key's own name, so that its order needs no
 * more than the store's order of writes of one key. A record is a line of JSON and the value's bytes.
 */
export class Journal<K, V> {
  readonly #cache: string;
  readonly #store: JournalStore;
  readonly #prefix: string;
  readonly #serializer: Serializer<V>;
  /** The versions of the records by id and sequence: one is forgotten only if it is still the same. */
  readonly #versions = new Map<unknown, { readonly sequence: number; readonly version: string }>();

  constructor(cache: string, store: JournalStore, prefix: string, serializer: Serializer<V>) {
    this.#cache = cache;
    this.#store = store;
    this.#prefix = prefix;
    this.#serializer = serializer;
  }

  get durability(): JournalStore['durability'] {
    return this.#store.durability;
  }

  /** What an earlier process left. @throws JournalError */
  async *replay(): AsyncGenerator<Omit<Accepted<K, V>, 'id'> & { readonly id: string }> {
    try {
      for await (const { key: name, value: bytes, version } of this.#store.list(this.#prefix)) {
        const end = bytes.indexOf(newline);
        const { key, sequence, deletes } = JSON.parse(decoder.decode(bytes.subarray(0, end))) as Header<K>;
        const value = deletes ? undefined : await this.#serializer.decode(bytes.subarray(end + 1));
        const id = name.slice(this.#prefix.length);
        this.#versions.set(id, { sequence, version });
        yield { id, key, value, sequence };
      }
    } catch (error) {
      throw new JournalError(this.#cache, 'could not read', error);
    }
  }

  /** @throws JournalError */
  async put({ id, key, value, sequence }: Accepted<K, V>): Promise<void> {
    try {
      const header: Header<K> = { key, sequence, ...(value === undefined ? { deletes: true } : {}) };
      const line = encoder.encode(`${JSON.stringify(header)}\n`);
      const bytes = value === undefined ? new Uint8Array() : await this.#serializer.encode(value);
      const record = new Uint8Array(line.length + bytes.length);
      record.set(line);
      record.set(bytes, line.length);
      const version = await this.#store.set(`${this.#prefix}${id}`, record);
      this.#versions.set(id, { sequence, version });
    } catch (error) {
      throw new JournalError(this.#cache, 'could not write', error);
    }
  }

  /** The source has them. A record that cannot be deleted is written once more after the next start. */
  async forget(items: readonly Accepted<K, V>[]): Promise<void> {
    await Promise.allSettled(
      items.map(async ({ id, sequence }) => {
        const record = this.#versions.get(id);
        if (record === undefined || record.sequence > sequence) return;
        this.#versions.delete(id);
        await this.#store.delete(`${this.#prefix}${id}`, { ifVersion: record.version });
      }),
    );
  }
}
