import { abortable } from '@ashlar/core';
import { WriteError } from '../errors.ts';
import type { Backlog } from './backlog.ts';
import type { Journal } from './journal.ts';
import { Turns } from './turns.ts';
import type { Write, Writer, WriterContext } from './write-strategy.ts';

/** Accepts writes: into the journal, then among the pending ones, then into the tiers. */
export class BehindWriter<K, V> implements Writer<K, V> {
  readonly #context: WriterContext<K, V>;
  readonly #backlog: Backlog<K, V>;
  readonly #journal: Journal<K, V> | undefined;
  readonly #turns = new Turns();
  #starting: Promise<void> | undefined;
  #isStarted: boolean;

  constructor(context: WriterContext<K, V>, backlog: Backlog<K, V>, journal: Journal<K, V> | undefined) {
    this.#context = context;
    this.#backlog = backlog;
    this.#journal = journal;
    this.#isStarted = journal === undefined;
    this.starting?.catch(() => {});
  }

  /** The replay of the journal. One that failed is tried again by who comes next. */
  get starting(): Promise<void> | undefined {
    if (this.#isStarted) return undefined;
    this.#starting ??= this.#replay().finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  pending(id: unknown): { readonly value: V | undefined } | undefined {
    return this.#backlog.pending(id);
  }

  async write(write: Write<K, V>, signal: AbortSignal | undefined): Promise<void> {
    if (this.starting !== undefined) await abortable(this.starting, signal);
    await this.#turns.take(write.id, async () => {
      const { id, key, value } = write;
      const hasPlace = await this.#backlog.reserve(id, signal);
      const accepted = { id, key, value, sequence: this.#backlog.nextSequence() };
      try {
        await this.#journal?.put(accepted);
      } catch (error) {
        this.#backlog.giveUp(hasPlace);
        throw error;
      }
      this.#backlog.add(accepted, hasPlace);
      try {
        await this.#context.place(write);
      } catch (error) {
        // it is accepted: only the shared tier does not know of it
        throw error instanceof WriteError
          ? new WriteError(this.#context.name, key, 'Executed', error.cause)
          : error;
      }
    });
  }

  flush(): Promise<void> {
    return this.#backlog.flush();
  }

  snapshot(): object {
    return {
      kind: 'writeBehind',
      ...this.#backlog.snapshot(),
      journal: this.#journal === undefined ? 'none' : this.#journal.durability,
    };
  }

  async close(): Promise<void> {
    await this.#starting?.catch(() => {});
    this.#backlog.acceptNoMore();
    await this.#turns.settled();
    await this.#backlog.close(this.#journal !== undefined);
  }

  async #replay(): Promise<void> {
    for await (const accepted of this.#journal!.replay()) this.#backlog.add(accepted, false);
    this.#isStarted = true;
  }
}
