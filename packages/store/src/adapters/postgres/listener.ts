import type { News } from '../../backend.ts';
import { backgroundClock } from '../../background-clock.ts';
import { StoreUnavailableError } from '../../errors.ts';
import type { Connections } from './connections.ts';
import type { PoolClientLike } from './pool-like.ts';
import { type PollRow, pollKeys, type Statement, type Statements, sweepRows } from './statements.ts';
import { deletedForMs, type Table } from './table.ts';

/** How long the server may be silent before it is asked, and how long it may take to answer: below a second together. */
const beatMs = 350;
const answerMs = 600;

/** Between two polls at least, so that a storm of writes is not one of polls. */
const gatherMs = 4;

/** After a longer silence, keys may have been deleted and forgotten meanwhile. */
const longestSilenceMs = deletedForMs / 2;

/**
 * One connection that hears of changes, until it breaks. A notification only rings; what changed is asked for: the
 * rows written by transactions that the snapshot of the last poll did not see and that of this one does. So the order
 * in which transactions commit and the time they take do not matter, and what no notification tells, the next beat finds.
 */
export class Listener {
  readonly #connections: Connections;
  readonly #client: PoolClientLike;
  readonly #statements: Statements;
  readonly #news: News;
  #failure: unknown;
  #wake: (() => void) | undefined;
  #isRung = false;
  #snapshot: string | null = null;
  #epoch: string | undefined;
  #serverTimeMs = 0;
  #polledAt = 0;

  /** Resolves when it hears of all that is committed from now on. */
  static async begin(
    connections: Connections,
    statements: Statements,
    { channel }: Table,
    news: News,
  ): Promise<Listener> {
    const listener = new Listener(connections, await connections.borrow('watch'), statements, news);
    try {
      await listener.#ask({ name: `ashlar_listen_${channel}`, text: `LISTEN ${channel}` });
      await listener.#poll();
      return listener;
    } catch (error) {
      listener.end();
      throw error;
    }
  }

  private constructor(connections: Connections, client: PoolClientLike, statements: Statements, news: News) {
    this.#connections = connections;
    this.#client = client;
    this.#statements = statements;
    this.#news = news;
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
      const isDue = await this.#poll();
      if (isDue) await this.#sweep();
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

  /** Tells what was committed since the last poll; the first one only begins. Whether something has expired. */
  async #poll(): Promise<boolean> {
    const [row] = await this.#ask(this.#statements.poll, [this.#snapshot]);
    if (row === undefined) throw new StoreUnavailableError('a poll gave nothing', 'NotExecuted');
    const reason = this.#snapshot === null ? undefined : this.#gap(row);
    this.#polledAt = performance.now();
    this.#serverTimeMs = Number(row.at);
    this.#snapshot = row.snapshot;
    this.#epoch = row.epoch ?? undefined;
    if (this.#epoch === undefined) await this.#beginEpoch();
    if (reason !== undefined) this.#news.missed(reason);
    else for (const key of keysOf(row)) this.#news.changed(key);
    return row.due !== null;
  }

  /** Why the poll may not tell everything, if it may not. */
  #gap(row: PollRow): string | undefined {
    if ((row.epoch ?? undefined) !== this.#epoch) return 'the table was emptied';
    const silenceMs = performance.now() - this.#polledAt;
    const serverSilenceMs = Number(row.at) - this.#serverTimeMs;
    if (silenceMs > longestSilenceMs || serverSilenceMs > longestSilenceMs || serverSilenceMs < 0) {
      return 'the last poll was too long ago, or the server’s clock was set';
    }
    return keysOf(row).length > pollKeys ? 'too many changes at once' : undefined;
  }

  async #beginEpoch(): Promise<void> {
    await this.#ask(this.#statements.begin);
    const [row] = await this.#ask(this.#statements.poll, [null]);
    this.#epoch = row?.epoch ?? undefined;
  }

  /** Rings itself when there is something to tell or more to do. */
  async #sweep(): Promise<void> {
    const [row] = await this.#ask(this.#statements.sweep);
    const count = Number(row?.due);
    if (count === sweepRows) this.#isRung = true;
  }

  #ask<R>(statement: Statement<R>, values: unknown[] = []): Promise<readonly R[]> {
    return this.#connections.runOn(this.#client, 'watch', statement, values, answerMs);
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

function keysOf(row: PollRow): string[] {
  const keys = row.keys;
  // the empty key is the empty text, which is not null
  return keys === null ? [] : keys.split(',').map(hex => Buffer.from(hex, 'hex').toString());
}
