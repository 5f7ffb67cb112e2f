import { Backoff, backgroundClock } from '@ashlar/core';
import type { ChangeListener } from '../../backend.ts';
import { StoreUnavailableError } from '../../errors.ts';
import { isForbidden } from './call.ts';
import type { Connections } from './connections.ts';
import type { PoolClientLike } from './pool-like.ts';
import { textOf } from './sql-text.ts';
import { type PollRow, pollKeys, type Statement, type Statements } from './statements.ts';
import { deletedForMs, watchesForMs } from './table.ts';

/** How long the server may be silent before it is polled, and how long it may take to answer: below a second together. */
const beatMs = 350;
const answerMs = 600;

/** The least time between two polls, so that many writes cost few polls. */
const gatherMs = 4;

/** After a longer silence, keys may have been deleted and forgotten meanwhile. */
const longestSilenceMs = deletedForMs / 2;

/** The pauses between two attempts to listen. */
const pauses = { firstMs: 200, maxMs: 2_000 };

/** The pauses between two resets while the server does not allow what finds changes. */
const forbiddenPauses = { firstMs: 200, maxMs: 5_000 };

export interface ChangeFeedOptions {
  readonly connections: Connections;
  readonly statements: Statements;
  readonly channel: string;
  /** Unlike that of any other store. */
  readonly watcher: Buffer;
  readonly listener: ChangeListener;
  readonly notifier: Notifier;
  /** The server does not allow what a watch needs. */
  forbidden(reason: string): void;
}

/** Publishes the changes of the table until it is stopped, over one connection after the other. */
export class ChangeFeed {
  /** Resolves when the first attempt to listen has succeeded or failed. */
  readonly tried: Promise<void>;
  readonly #stop = new AbortController();
  #isTried = false;

  constructor(options: ChangeFeedOptions) {
    this.tried = new Promise(resolve => {
      const tried = () => {
        this.#isTried = true;
        resolve();
      };
      this.#follow(options, tried).catch(() => {}); // It ends with the signal
    });
  }

  get isTried(): boolean {
    return this.#isTried;
  }

  stop(): void {
    this.#stop.abort();
  }

  async #follow(options: ChangeFeedOptions, tried: () => void): Promise<void> {
    const { signal } = this.#stop;
    const backoff = new Backoff(pauses);
    const forbidden = new Backoff(forbiddenPauses);
    for (let lost: string | undefined; !signal.aborted; ) {
      let next = backoff;
      try {
        const poller = await Poller.begin(options);
        backoff.reset();
        try {
          if (lost !== undefined && !signal.aborted) options.listener.missed(lost);
          tried();
          await poller.follow(signal);
        } finally {
          poller.end();
        }
      } catch (error) {
        lost = error instanceof Error ? error.message : String(error);
        // It may stay so, and readers must not wait for its end in vain
        if (isForbidden((error as Error).cause) && !signal.aborted) {
          next = forbidden;
          options.forbidden(lost);
          options.listener.missed(lost);
        }
      }
      tried();
      if (next !== forbidden) forbidden.reset();
      await backgroundClock.sleep(next.nextMs(), signal);
    }
  }
}

/**
 * One connection that polls for changes until it breaks; a notification makes it poll early. A poll finds the rows of all
 * transactions that the snapshot of the last poll did not see, and that of this one does. So neither the order in which
 * transactions commit matters nor the time they take, and the next beat finds what no notification announced.
 */
class Poller {
  readonly #options: ChangeFeedOptions;
  readonly #client: PoolClientLike;
  #failure: unknown;
  #wake: (() => void) | undefined;
  #isNotified = false;
  #last: PollRow | undefined;
  #polledAt = 0;
  #attendedAt = 0;

  /** Resolves when it will find all that is committed from now on. */
  static async begin(options: ChangeFeedOptions): Promise<Poller> {
    const { connections, channel } = options;
    let poller: Poller | undefined;
    try {
      await connections.borrow('watch', client => {
        poller = new Poller(options, client);
      });
      await poller!.#ask({ name: channel, text: `LISTEN ${channel}` });
      await poller!.#attend();
      await poller!.#poll();
      return poller!;
    } catch (error) {
      poller?.end();
      throw error;
    }
  }

  private constructor(options: ChangeFeedOptions, client: PoolClientLike) {
    this.#options = options;
    this.#client = client;
    client.on('notification', this.#onNotification);
    client.on('error', this.#onEnd);
    client.on('end', this.#onEnd);
  }

  /** Publishes changes until the signal aborts; rejects when the connection breaks. */
  async follow(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', this.#onNotification, { once: true });
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
    this.#client.removeListener('notification', this.#onNotification);
    this.#client.removeListener('error', this.#onEnd);
    this.#client.removeListener('end', this.#onEnd);
  }

  /** Until a notification, or the next beat. */
  async #pause(): Promise<void> {
    if (!this.#isNotified) {
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
    this.#isNotified = false;
  }

  /** Publishes what was committed since the last poll; the first poll only begins. */
  async #poll(): Promise<PollRow> {
    const { listener, statements } = this.#options;
    const last = this.#last;
    const [polled] = await this.#ask(statements.poll, [last?.snapshot ?? null]);
    const row = polled!;
    const silenceMs = performance.now() - this.#polledAt;
    this.#last = row;
    this.#polledAt += silenceMs;
    if (last === undefined) return row;
    // The empty key is the empty text, which is not null
    const keys = row.keys === null ? [] : row.keys.split(',').map(textOf);
    const reason = keys.length > pollKeys ? 'too many changes at once' : gap(last, row, silenceMs);
    if (reason !== undefined) listener.missed(reason);
    else for (const key of keys) listener.changed(key);
    if (row.epoch === null) await this.#attend();
    return row;
  }

  /** Without it nobody rings for this watch, which still finds changes with each beat while others keep the epoch. */
  async #attend(): Promise<void> {
    try {
      await this.#ask(this.#options.statements.attend, [this.#options.watcher]);
    } catch (error) {
      if (this.#last?.epoch === null || !isForbidden((error as Error).cause)) throw error;
      this.#options.forbidden((error as Error).message);
    }
    this.#attendedAt = performance.now();
  }

  async #sweep(): Promise<void> {
    const { notifier, statements } = this.#options;
    const [row] = await this.#ask(statements.sweep);
    if (Number(row!.due) === 0) return; // Another store sweeps
    this.#isNotified = true;
    if (row!.watched !== null) notifier.notify();
  }

  #ask<R>(statement: Statement<R>, values: unknown[] = []): Promise<readonly R[]> {
    return this.#options.connections.runOn(this.#client, 'watch', statement, values, answerMs);
  }

  readonly #onNotification = (): void => {
    this.#isNotified = true;
    this.#wake?.();
  };

  readonly #onEnd = (error?: unknown): void => {
    this.#failure ??= error ?? new StoreUnavailableError('the connection was ended', 'NotExecuted');
    this.#onNotification();
  };
}

/** Why a poll may not find everything, if it may not. */
function gap(last: PollRow, row: PollRow, silenceMs: number): string | undefined {
  if (row.epoch === null || row.epoch !== last.epoch) return 'the table was emptied';
  const serverSilenceMs = Number(row.at) - Number(last.at);
  if (silenceMs <= longestSilenceMs && serverSilenceMs <= longestSilenceMs && serverSilenceMs >= 0)
    return undefined;
  return 'the last poll was too long ago, or the clock of the server was set';
}

/**
 * Notifies watches after a write. Writes during a notification share the next one, so that many writes cost few. When a
 * notification is lost, watches find the change with their next beat.
 */
export class Notifier {
  readonly #send: () => Promise<unknown>;
  #isSending = false;
  #again = false;

  constructor(send: () => Promise<unknown>) {
    this.#send = send;
  }

  notify(): void {
    this.#again = true;
    if (!this.#isSending) void this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    while (this.#again) {
      this.#again = false;
      await this.#send().catch(() => {});
    }
    this.#isSending = false;
  }
}
