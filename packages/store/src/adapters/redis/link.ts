import { backgroundClock, type CallOutcome } from '@ashlar/core';
import { StoreClosedError, StoreTimeoutError, StoreUnavailableError } from '../../errors.ts';
import type { Argument, Client } from './client.ts';
import { Connection } from './connection.ts';
import { failureOf, isFatal, isRefusal } from './failure.ts';

export interface LinkOptions {
  /** As errors call the store. */
  readonly store: string;
  readonly connectTimeoutMs: number;
  make(): Client;
  /** Looks at the server of a new connection before it is used; what it throws refuses the server. */
  prepare?(client: Client): Promise<void>;
  connected?(): void;
  /** A connection was lost, or the first attempt at one failed. */
  disconnected?(error: unknown): void;
}

export interface Call {
  readonly command: string;
  readonly args: readonly Argument[];
  /** Whether text in the answer comes as bytes. */
  readonly asBytes: boolean;
  /** What is known of the command when no answer comes. */
  readonly outcome: CallOutcome;
  readonly timeoutMs: number;
}

const longestPauseMs = 500;

interface Waiter {
  send(connection: Connection): void;
  refuse(error: Error): void;
}

/**
 * One connection at a time, each by a client of its own that is thrown away with it: what was sent and not answered
 * fails, and is never sent again. A call has its deadline, waiting for a connection included; one that misses it, or
 * fails other than by an answer, ends the connection.
 */
export class Link {
  readonly #options: LinkOptions;
  readonly #stopping = new AbortController();
  readonly #waiters = new Set<Waiter>();
  #connection: Connection | undefined;
  #isOpen = false;
  #failure: unknown;
  #refusal: Error | undefined;
  #pending = 0;
  #idle: (() => void) | undefined;

  /** @throws what the first `make` throws. */
  constructor(options: LinkOptions) {
    this.#options = options;
    this.#run(options.make()).catch(() => {}); // it ends by `close`, and tells every failure before
  }

  get connected(): boolean {
    return this.#isOpen;
  }

  call(call: Call): Promise<unknown> {
    return this.#isOpen ? this.#send(this.#connection!, call, call.timeoutMs) : this.#sendLater(call);
  }

  /** Waits for what is under way, which has its deadlines. */
  async close(): Promise<void> {
    this.#refuseWaiters(new StoreClosedError(this.#options.store));
    do {
      if (this.#pending > 0) await new Promise<void>(resolve => (this.#idle = resolve));
      // an answer may lead to another call
      await new Promise(resolve => setImmediate(resolve));
    } while (this.#pending > 0);
    this.abort();
  }

  /** Ends without waiting for anything. */
  abort(): void {
    this.#stopping.abort();
    this.#refuseWaiters(new StoreClosedError(this.#options.store));
    this.#connection?.end(new StoreClosedError(this.#options.store));
  }

  #send(connection: Connection, call: Call, leftMs: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const { command, args, asBytes, outcome, timeoutMs } = call;
      this.#pending++;
      let isSettled = false;
      const settle = () => {
        if (isSettled) return false;
        isSettled = true;
        clearTimeout(timer);
        if (--this.#pending === 0) this.#idle?.();
        return true;
      };
      const timer = setTimeout(() => {
        settle();
        const error = new StoreTimeoutError(command, timeoutMs, outcome);
        connection.end(error);
        reject(error);
      }, leftMs);
      const { client } = connection;
      const answer = asBytes ? client.callBuffer(command, args) : client.call(command, args);
      answer.then(
        result => {
          if (settle()) resolve(result);
        },
        (error: unknown) => {
          if (isFatal(error)) connection.end(error);
          if (settle()) reject(failureOf(error, outcome));
        },
      );
    });
  }

  /** In the order of the calls, which `listen` relies on: none overtakes those that wait. */
  #sendLater(call: Call): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#stopping.signal.aborted) throw new StoreClosedError(this.#options.store);
      if (this.#refusal !== undefined) throw this.#refusal;
      const { timeoutMs } = call;
      const startedAt = performance.now();
      const settle = () => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
      };
      const waiter: Waiter = {
        send: connection => {
          settle();
          resolve(this.#send(connection, call, Math.max(1, timeoutMs - (performance.now() - startedAt))));
        },
        refuse: error => {
          settle();
          reject(error);
        },
      };
      const timer = setTimeout(() => {
        const text = `there was no connection to Redis within ${timeoutMs} ms`;
        waiter.refuse(new StoreUnavailableError(text, 'NotExecuted', { cause: this.#failure }));
      }, timeoutMs);
      this.#waiters.add(waiter);
    });
  }

  #refuseWaiters(error: Error): void {
    for (const waiter of this.#waiters) waiter.refuse(error);
  }

  async #run(first: Client): Promise<void> {
    const { make, connected, disconnected } = this.#options;
    const { signal } = this.#stopping;
    let client = first;
    let pauseMs = 10;
    for (let attempt = 1; !signal.aborted; attempt++) {
      const connection = new Connection(client);
      this.#connection = connection;
      const isOpen = await this.#open(connection);
      if (isOpen) {
        pauseMs = 10;
        connected?.();
        this.#failure = await connection.over;
        this.#isOpen = false;
      }
      connection.end(undefined);
      if (signal.aborted) return;
      if (isOpen || attempt === 1) disconnected?.(this.#failure);
      await backgroundClock.sleep(pauseMs * (0.5 + Math.random()), signal);
      pauseMs = Math.min(2 * pauseMs, longestPauseMs);
      client = make();
    }
  }

  async #open(connection: Connection): Promise<boolean> {
    const { prepare, connectTimeoutMs } = this.#options;
    try {
      await connection.open(prepare, connectTimeoutMs);
    } catch (error) {
      this.#failure = error;
      this.#refusal = isRefusal(error) ? failureOf(error, 'NotExecuted') : undefined;
      if (this.#refusal !== undefined) this.#refuseWaiters(this.#refusal);
      return false;
    }
    this.#refusal = undefined;
    this.#isOpen = true;
    for (const waiter of this.#waiters) waiter.send(connection);
    return true;
  }
}
