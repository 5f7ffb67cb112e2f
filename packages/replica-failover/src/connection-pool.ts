import { abortable } from '@ashlar/core';
import type { Connection, OpenOptions, Pool } from './server.ts';

/** A connection that a pool can end. */
export interface Pooled<C> extends Connection<C> {
  /** Ends it at once: what is in flight on it fails with the reason. May be called again. */
  lose(reason: Error): void;
  /**
   * It is to be lent again: resolves when it is known whether it was lost while it lay idle. Undefined when that is known.
   * From then on it keeps the process alive, which an idle one does not.
   */
  wake?(): Promise<void> | undefined;
}

/** What a new connection calls. */
export interface PooledEvents<C> {
  /** Its work is over; with an error it is not used again. */
  readonly released: (connection: Pooled<C>, error: Error | undefined) => void;
  /** It was lost, whether in use or idle. */
  readonly lost: (connection: Pooled<C>, reason: Error) => void;
}

export type Connect<C> = (events: PooledEvents<C>, signal: AbortSignal) => Promise<Pooled<C>>;

/** The pool that every backend has: connections are made when they are needed, and lent to who came first. */
export class ConnectionPool<C> implements Pool<C> {
  readonly #options: OpenOptions;
  readonly #connect: Connect<C>;
  readonly #idle: Pooled<C>[] = [];
  readonly #busy = new Set<Pooled<C>>();
  readonly #waiting: (() => void)[] = [];
  readonly #ending = new AbortController();
  #connecting = 0;
  #endedHere: Pooled<C> | undefined;

  constructor(options: OpenOptions, connect: Connect<C>) {
    this.#options = options;
    this.#connect = connect;
  }

  async acquire(signal: AbortSignal, connecting: () => void = () => {}): Promise<Connection<C>> {
    signal.throwIfAborted();
    while (this.#busy.size + this.#connecting >= this.#options.maxConnections) {
      this.#throwIfEnded();
      if (this.#busy.size === 0) connecting();
      await this.#turn(signal);
    }
    this.#throwIfEnded();
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      this.#busy.add(idle);
      const awake = idle.wake?.();
      if (awake !== undefined) await awake;
      if (idle.progress.lost === undefined) return idle;
      this.#busy.delete(idle);
    }
    connecting();
    const connection = await this.#open(signal);
    this.#busy.add(connection);
    return connection;
  }

  acquireIdle(): Connection<C> | undefined {
    const isFull = this.#busy.size + this.#connecting >= this.#options.maxConnections;
    if (isFull || this.#waiting.length > 0 || this.#ending.signal.aborted) return undefined;
    const connection = this.#idle.at(-1);
    if (connection === undefined || connection.wake?.() !== undefined) return undefined;
    this.#idle.pop();
    if (connection.progress.lost !== undefined) return undefined;
    this.#busy.add(connection);
    return connection;
  }

  destroy(reason: Error): void {
    this.#ending.abort(reason);
    for (const connection of [...this.#busy, ...this.#idle.splice(0)]) connection.lose(reason);
    this.#wakeAll();
  }

  async close(): Promise<void> {
    this.#ending.abort(new Error('the connections are closed'));
    for (const connection of this.#idle.splice(0)) connection.lose(this.#ending.signal.reason);
    this.#wakeAll();
    while (this.#busy.size > 0) await this.#turn();
  }

  async #open(signal: AbortSignal): Promise<Pooled<C>> {
    this.#connecting++;
    const giveUp = AbortSignal.any([signal, this.#ending.signal]);
    const events: PooledEvents<C> = {
      released: (connection, error) => this.#released(connection, error),
      lost: (connection, reason) => this.#lost(connection, reason),
    };
    try {
      const connection = await this.#connect(events, giveUp);
      if (giveUp.aborted) connection.lose(giveUp.reason);
      giveUp.throwIfAborted();
      return connection;
    } finally {
      this.#connecting--;
      this.#wake();
    }
  }

  #released(connection: Pooled<C>, error: Error | undefined): void {
    if (!this.#busy.delete(connection)) return;
    const reason = error ?? this.#ending.signal.reason;
    if (reason !== undefined) this.#end(connection, reason);
    else if (connection.progress.lost === undefined) this.#idle.push(connection);
    this.#wake();
  }

  /** Ends a connection that is not fit for others: that says nothing of its server. */
  #end(connection: Pooled<C>, reason: Error): void {
    this.#endedHere = connection;
    connection.lose(reason);
    this.#endedHere = undefined;
  }

  #lost(connection: Pooled<C>, reason: Error): void {
    const index = this.#idle.indexOf(connection);
    if (index >= 0) this.#idle.splice(index, 1);
    if (connection !== this.#endedHere && !this.#ending.signal.aborted) this.#options.onLost(reason);
  }

  /** Waits for a connection to come back. */
  async #turn(signal?: AbortSignal): Promise<void> {
    let wake = () => {};
    const woken = new Promise<void>(resolve => {
      wake = resolve;
      this.#waiting.push(resolve);
    });
    try {
      await abortable(woken, signal);
    } catch (error) {
      const index = this.#waiting.indexOf(wake);
      if (index >= 0) this.#waiting.splice(index, 1);
      else this.#wake(); // it was this one's turn, which goes on to the next
      throw error;
    }
  }

  #wake(): void {
    this.#waiting.shift()?.();
  }

  #wakeAll(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  #throwIfEnded(): void {
    this.#ending.signal.throwIfAborted();
  }
}
