import { abortable, withDeadline } from '@ashlar/core';
import { CacheClosedError, WriteError } from '../../errors.ts';
import { keepingAlive, untilAbort } from '../../waits.ts';
import { WriteQueue } from '../write-queue.ts';
import type { Write, Writer, WriterContext } from '../write-strategy.ts';
import type { Backlog } from './backlog.ts';
import type { Journal } from './journal.ts';

/** Accepts writes: into the journal, then among the pending ones, then into the tiers. */
export class BehindWriter<K, V> implements Writer<K, V> {
  readonly #context: WriterContext<K, V>;
  readonly #newBacklog: () => Backlog<K, V>;
  readonly #journal: Journal<K, V> | undefined;
  readonly #ending = new AbortController();
  /** Aborts when `close` waits no longer for writes to be accepted. */
  readonly #late = new AbortController();
  readonly #queue = new WriteQueue(this.#late.signal);
  #backlog: Backlog<K, V>;
  /** The batch under way when a journal was lost; it must have ended before another batch is written. */
  #abandoned: Promise<void> = Promise.resolve();
  #starting: Promise<void> | undefined;
  #isStarted: boolean;

  constructor(
    context: WriterContext<K, V>,
    newBacklog: () => Backlog<K, V>,
    journal: Journal<K, V> | undefined,
  ) {
    this.#context = context;
    this.#newBacklog = newBacklog;
    this.#backlog = newBacklog();
    this.#journal = journal;
    this.#isStarted = journal === undefined;
    this.starting?.catch(() => {});
  }

  /**
   * Present while the journal is taken and replayed, which does not keep the process alive. After a failure, the next read
   * or write tries again.
   */
  get starting(): Promise<void> | undefined {
    if (this.#isStarted) return undefined;
    this.#starting ??= this.#start(this.#journal!).finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  pending(id: unknown): { readonly value: V | undefined } | undefined {
    return this.#backlog.pending(id);
  }

  async write(write: Write<K, V>, signal: AbortSignal | undefined): Promise<void> {
    if (this.starting !== undefined) await keepingAlive(untilAbort(this.starting, signal));
    const work = async () => {
      const { id, key, value } = write;
      const backlog = this.#backlog;
      const hasPermit = await backlog.reserve(id, signal);
      const accepted = { id, key, value, sequence: backlog.nextSequence() };
      try {
        await this.#journal?.put(accepted);
      } catch (error) {
        backlog.giveUp(hasPermit);
        throw error;
      }
      backlog.add(accepted, hasPermit); // if the journal was lost since, the next process finds the write there
      try {
        await this.#context.place(write);
      } catch (error) {
        // the write is accepted; only the shared tier was not notified
        throw error instanceof WriteError
          ? new WriteError(this.#context.name, error.operation, key, 'Executed', error.cause)
          : error;
      }
    };
    await this.#queue.run(write.id, work, signal);
  }

  /** What an earlier process left in the journal was accepted too. */
  async flush(): Promise<void> {
    if (this.starting !== undefined) await keepingAlive(this.starting);
    await this.#backlog.flush();
  }

  snapshot(): object {
    return {
      kind: 'writeBehind',
      ...this.#backlog.snapshot(),
      journal: this.#journal === undefined ? 'none' : this.#journal.durability,
    };
  }

  async close(): Promise<void> {
    const { name } = this.#context;
    this.#ending.abort(new CacheClosedError(name));
    const { clock, closeTimeoutMs: timeoutMs } = this.#backlog.options;
    const late = () => new CacheClosedError(name);
    await withDeadline({ timeoutMs, clock, late }, () => this.#accepted()).catch(error =>
      this.#late.abort(error),
    );
    this.#backlog.acceptNoMore();
    try {
      await this.#backlog.close(this.#journal !== undefined);
    } finally {
      await this.#journal?.close();
    }
  }

  /** Resolves when what was begun is accepted or has failed. */
  async #accepted(): Promise<void> {
    await this.#starting?.catch(() => {});
    this.#backlog.acceptNoMore();
    await this.#queue.settled();
  }

  async #start(journal: Journal<K, V>): Promise<void> {
    const ending = this.#ending.signal;
    await abortable(this.#abandoned, ending);
    const backlog = this.#backlog;
    const left = await journal.open(reason => this.#lost(backlog, reason), ending);
    for (const accepted of left) backlog.add(accepted, false);
    // asking may find the journal lost, which replaces the backlog
    this.#isStarted = journal.isHeld && this.#backlog === backlog;
  }

  /** The pending writes belong to the next process that takes the journal, which may be this one. */
  #lost(backlog: Backlog<K, V>, reason: unknown): void {
    this.#abandoned = backlog.abandon(reason);
    this.#backlog = this.#newBacklog();
    this.#isStarted = false;
    if (!this.#ending.signal.aborted) this.starting?.catch(() => {});
  }
}
