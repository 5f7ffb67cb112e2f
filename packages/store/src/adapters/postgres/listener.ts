import { backgroundClock } from '@ashlar/core';
import type { News } from '../../backend.ts';
import { StoreUnavailableError } from '../../errors.ts';
import type { Bell } from './bell.ts';
import { textOf } from './codec.ts';
import type { Connections } from './connections.ts';
import type { PoolClientLike } from './pool-like.ts';
import { type PollRow, pollKeys, type Statement, type Statements } from './statements.ts';
import { deletedForMs, watchesForMs } from './table.ts';

/** How long the server may be silent before it is asked, and how long it may take to answer: below a second together. */
const beatMs = 350;
const answerMs = 600;

/** Between two polls at least, so that a storm of writes is not one of polls. */
const gatherMs = 4;

/** After a longer silence, keys may have been deleted and forgotten meanwhile. */
const longestSilenceMs = deletedForMs / 2;

export interface ListenerOptions {
  readonly connections: Connections;
  readonly statements: Statements;
  readonly channel: string;
  /** Unlike that of any other store. */
  readonly watcher: Buffer;
  readonly news: News;
  readonly bell: Bell;
}

/**
 * One connection that hears of changes, until it breaks. A notification only rings; what changed is asked for: the
 * rows written by transactions that the snapshot of the last poll did not see and that of this one does. So the order
 * in which transactions commit and the time they take do not matter, and what no notification tells, the next beat finds.
 */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #client: PoolClientLike;
  #failure: unknown;
  #wake: (() => void) | undefined;
  #isRung = false;
  #last: PollRow | undefined;
  #polledAt = 0;
  #attendedAt = 0;

  /** Resolves when it hears of all that is committed from now on. */
  static async begin(options: ListenerOptions): Promise<Listener> {
    const { connections, channel } = options;
    const listener = new Listener(options, await connections.borrow('watch'));
    try {
      await listener.#ask({ name: channel, text: `LISTEN ${channel}` });
      await listener.#attend();
      await listener.#poll();
      return listener;
    } catch (error) {
      listener.end();
      throw error;
    }
  }

  private constructor(options: ListenerOptions, client: PoolClientLike) {
    this.#options = options;
    this.#client = client;
    client.on('notification', this.#onRing);
    client.on('error', this.#onEnd);
    client.on('end', this.#onEnd);
  }

  /** Tells the news until the signal aborts; rejects when the connection breaks. */
  async follow(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', this.#onRing, { once: true });
    while (!signal.aborted) {
      await this.#pause();
      if (signal.aborted) return;
      if (this.#failure !== undefined) throw this.#failure;
      const { due } = await this.#poll();
      if (due !== null) await this.#sweep();
      if (performance.now() - this.#attendedAt > watchesForMs / 3) await this.#attend();
    }
  }

  end(): void {
    this.#client.release(true);
    this.#client.removeListener('notification', this.#onRing);
    this.#client.removeListener('error', this.#onEnd);
    this.#client.removeListener('end', this.#onEnd);
  }

  /** Until it is rung, or the next beat. */
  async #pause(): Promise<void> {
    if (!this.#isRung) {
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, beatMs).unref();
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    const earlyMs = this.#polledAt + gatherMs - performance.now();
    if (earlyMs > 0) await backgroundClock.sleep(earlyMs);
    this.#isRung = false;
  }

  /** Tells what was committed since the last poll; the first one only begins. */
  async #poll(): Promise<PollRow> {
    const last = this.#last;
    const [row] = await this.#ask(this.#options.statements.poll, [last?.snapshot ?? null]);
    const silenceMs = performance.now() - this.#polledAt;
    this.#last = row!;
    this.#polledAt += silenceMs;
    if (last === undefined) return row!;
    const keys = keysOf(row!);
    const reason = keys.length > pollKeys ? 'too many changes at once' : gap(last, row!, silenceMs);
    if (reason !== undefined) this.#options.news.missed(reason);
    else for (const key of keys) this.#options.news.changed(key);
    if (row!.epoch === null) await this.#attend();
    return row!;
  }

  async #attend(): Promise<void> {
    await this.#ask(this.#options.statements.attend, [this.#options.watcher]);
    this.#attendedAt = performance.now();
  }

  async #sweep(): Promise<void> {
    const { bell, statements } = this.#options;
    const [row] = await this.#ask(statements.sweep);
    if (Number(row!.due) === 0) return; // others are at it
    this.#isRung = true;
    if (row!.watched !== null) bell.ring();
  }

  #ask<R>(statement: Statement<R>, values: unknown[] = []): Promise<readonly R[]> {
    return this.#options.connections.runOn(this.#client, 'watch', statement, values, answerMs);
  }

  readonly #onRing = (): void => {
    this.#isRung = true;
    this.#wake?.();
  };

  readonly #onEnd = (error?: unknown): void => {
    this.#failure ??= error ?? new StoreUnavailableError('the connection was ended', 'NotExecuted');
    this.#onRing();
  };
}

/** Why a poll may not tell everything, if it may not. */
function gap(last: PollRow, row: PollRow, silenceMs: number): string | undefined {
  if (row.epoch === null || row.epoch !== last.epoch) return 'the table was emptied';
  const serverSilenceMs = Number(row.at) - Number(last.at);
  if (silenceMs <= longestSilenceMs && serverSilenceMs <= longestSilenceMs && serverSilenceMs >= 0)
    return undefined;
  return 'the last poll was too long ago, or the clock of the server was set';
}

function keysOf({ keys }: PollRow): string[] {
  // the empty key is the empty text, which is not null
  return keys === null ? [] : keys.split(',').map(textOf);
}
