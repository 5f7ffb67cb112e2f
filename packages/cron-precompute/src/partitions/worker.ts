import type { Store } from '@ashlar/store';
import type { WallClock } from '../clock.ts';
import type { Stored } from '../publish/chunks.ts';
import type { Serializer } from '../read/snapshot.ts';
import { entryOf, keyText } from '../sources/entries.ts';
import type { AnyQueue, InPartitionsOptions, PartMessage } from './options.ts';
import { Parts } from './parts.ts';

/** The data set whose partitions are loaded. */
export interface Place {
  readonly name: string;
  readonly store: Store;
  readonly clock: WallClock;
  readonly pollMs: number;
  /** How long a partition may still take when the data set closes, in milliseconds. */
  readonly graceMs: number;
  keyOf(key: unknown): string;
  keyFrom(text: string): unknown;
  readonly serializer: Serializer<unknown>;
}

type Settings = Required<InPartitionsOptions<unknown, unknown, unknown>>;

/** Loads partitions in this process, whichever has the run. */
export class Worker {
  readonly #settings: Settings;
  readonly #place: Place;
  readonly #parts: Parts;
  #subscribing: Promise<{ close(options: { readonly timeoutMs: number }): Promise<unknown> }> | undefined;

  constructor(settings: Settings, place: Place) {
    this.#settings = settings;
    this.#place = place;
    this.#parts = new Parts(place.store, place.name);
  }

  /** Rejects with the error of the queue; may be called again. */
  async start(): Promise<void> {
    const { queue, topic, concurrency, attempts } = this.#settings;
    if (concurrency === 0) return;
    const any = queue as object as AnyQueue;
    this.#subscribing ??= any
      .subscribe(topic, (message, context) => this.#handle(message, context), { concurrency, attempts })
      .catch((error: unknown) => {
        this.#subscribing = undefined;
        throw error;
      });
    await this.#subscribing;
  }

  /** What is not loaded in time goes back to the queue. */
  async close(): Promise<void> {
    const subscription = await this.#subscribing?.catch(() => undefined);
    await subscription?.close({ timeoutMs: this.#place.graceMs });
  }

  async #handle(
    { run, token, index, partition, since }: PartMessage,
    { attempt, signal }: { readonly attempt: number; readonly signal: AbortSignal },
  ): Promise<void> {
    const { load, attempts } = this.#settings;
    if (!(await this.#parts.isOpen(token)) || (await this.#parts.result(run, index)) !== undefined) return;
    let entries: [string, Stored][];
    try {
      const time = since === undefined ? undefined : new Date(since);
      entries = Array.from(await load(partition, { signal, since: time, attempt }), entry =>
        this.#stored(entry),
      );
      signal.throwIfAborted();
    } catch (error) {
      // What a closing process has told to stop has not failed
      if (attempt < attempts || signal.aborted) throw error;
      const why = error instanceof Error ? error.message : String(error);
      if (await this.#parts.isOpen(token)) await this.#parts.fail(run, index, why.slice(0, 1_000), attempt);
      return;
    }
    // A process that stood still meanwhile leaves nothing of a run that is over
    if (await this.#parts.isOpen(token)) await this.#parts.keep(run, index, entries);
  }

  #stored(entry: readonly [unknown, unknown]): [string, Stored] {
    const [key, value] = entryOf(entry);
    const { keyOf, serializer } = this.#place;
    const isBare = value === undefined || value === null;
    return [keyText(keyOf, key), isBare ? (value as null | undefined) : serializer.serialize(value)];
  }
}
