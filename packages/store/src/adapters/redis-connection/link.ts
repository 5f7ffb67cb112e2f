import {
  Backoff,
  backgroundClock,
  type CallOutcome,
  type Checked,
  type Clock,
  clock,
  describe,
  durationMs,
  functionOf,
  InvalidOptionError,
  objectWith,
  type Random,
  type RulesFor,
  random,
  readOptions,
  required,
} from '@ashlar/core';
import { type Argument, type Client, isClient } from './client.ts';
import { Connection } from './connection.ts';
import type { Identity } from './identity.ts';
import { because, failureOf, isFatal, isRefusal, type LinkErrors, replyCode } from './replies.ts';

export interface LinkOptions {
  /** Milliseconds for a server that accepts a connection and is silent. */
  readonly connectTimeoutMs: number;
  /** Makes the errors that calls reject with. */
  readonly errors: LinkErrors;
  /** A client for one connection, as `clientLike` returns it. */
  make(): Client;
  /** Checks the server of a new connection before it is used. What it throws refuses the server: calls reject with it. */
  prepare?(client: Client): Promise<void>;
  /** Milliseconds after which a connection in use is checked by `prepare` again. Default: none, it is checked once. */
  readonly checkAgainMs?: number;
  /** A connection is open. */
  connected?(): void;
  /** A connection was lost, or the first attempt to connect failed. */
  disconnected?(error: unknown): void;
  /** Draws the pauses between two attempts to connect. Default: `Math.random`. */
  readonly random?: Random;
  /** Measures those pauses. Default: the machine's, which does not keep the process alive. */
  readonly clock?: Clock;
}

export interface Call {
  readonly command: string;
  readonly args: readonly Argument[];
  /** Of `EVALSHA`: the script's text, sent with `EVAL` when the server does not know the hash. */
  readonly source?: string;
  /** Whether text in the answer comes as bytes. */
  readonly asBytes: boolean;
  /** What is known of the command when no answer comes. */
  readonly outcome: CallOutcome;
  /** Milliseconds, the wait for a connection included; at most 2³¹ − 1. */
  readonly timeoutMs: number;
}

const rules = {
  connectTimeoutMs: required(durationMs(undefined, { above: 0 })),
  errors: required(objectWith<LinkErrors>(['timedOut', 'unavailable', 'refused', 'closed'])),
  make: required(functionOf<LinkOptions['make']>(), 'write `make: () => clientLike(redis, options)`'),
  prepare: functionOf<NonNullable<LinkOptions['prepare']>>(),
  checkAgainMs: durationMs(Number.POSITIVE_INFINITY, { above: 0, endless: true }),
  connected: functionOf<NonNullable<LinkOptions['connected']>>(),
  disconnected: functionOf<NonNullable<LinkOptions['disconnected']>>(),
  random: random(),
  clock: clock(backgroundClock),
} satisfies RulesFor<LinkOptions>;

/** The pauses between two attempts to connect. */
const reconnecting = { firstMs: 20, maxMs: 500 };

interface Waiter {
  send(connection: Connection): void;
  refuse(error: Error): void;
}

/**
 * A connection to Redis that reconnects, and whose calls all end in time.
 *
 * Each connection has a client of its own, which is thrown away with it: a command that was sent and not answered fails,
 * and is never sent again; once there is another connection, it is not executed any more. Commands are sent in the order of their calls. Each has its deadline, the wait for a
 * connection included. One that misses it, or fails other than by an answer of the server, ends the connection; so does
 * a reply that sends it to another server, such as READONLY. It reconnects with full jitter, at
 * most half a second apart, until `close`. While the server refuses, as with a wrong password, calls reject at once.
 */
export class Link {
  readonly #options: Checked<typeof rules>;
  readonly #errors: LinkErrors;
  readonly #stopping = new AbortController();
  readonly #waiters = new Set<Waiter>();
  #connection: Connection | undefined;
  #isOpen = false;
  /** The latest connection that commands were sent on. */
  #lost: Identity | undefined;
  #failure: unknown;
  #refusal: Error | undefined;
  #pending = 0;
  #idle: (() => void) | undefined;

  /** Begins to connect. @throws InvalidOptionError, and what the first `make` throws */
  constructor(options: LinkOptions) {
    this.#options = readOptions('Link', options, rules);
    this.#errors = this.#options.errors;
    const first: unknown = this.#options.make();
    if (!isClient(first)) {
      const message = `\`make\` must return a client, as \`clientLike\` does, got ${describe(first)}`;
      throw new InvalidOptionError('make', message);
    }
    this.#run(first).catch(() => {}); // It ends by `close`, and has reported every failure
  }

  get connected(): boolean {
    return this.#isOpen;
  }

  call(call: Call): Promise<unknown> {
    return this.#isOpen ? this.#send(this.#connection!, call, call.timeoutMs) : this.#sendLater(call);
  }

  /** Rejects later calls, and waits for those in flight, which have their deadlines. */
  async close(): Promise<void> {
    this.#refuseWaiters(this.#errors.closed('NotExecuted'));
    do {
      if (this.#pending > 0) await new Promise<void>(resolve => (this.#idle = resolve));
      // An answer may lead to another call
      await new Promise(resolve => setImmediate(resolve));
    } while (this.#pending > 0);
    this.abort();
  }

  /** Ends the present connection, so that another one is opened. */
  reconnect(reason: unknown): void {
    this.#connection?.end(reason);
  }

  /** Ends without waiting for anything. */
  abort(): void {
    this.#stopping.abort();
    this.#refuseWaiters(this.#errors.closed('NotExecuted'));
    this.#connection?.end(this.#errors.closed('NotExecuted'));
  }

  // Timers of its own, as `withDeadline` of core would cost each call a fifth of its time
  #send(connection: Connection, call: Call, leftMs: number): Promise<unknown> {
    this.#checkAgain(connection);
    return new Promise((resolve, reject) => {
      const { command, args, source, asBytes, outcome, timeoutMs } = call;
      const { client } = connection;
      this.#pending++;
      let isSettled = false;
      const settle = () => {
        if (isSettled) return false;
        isSettled = true;
        clearTimeout(timer);
        if (--this.#pending === 0) this.#idle?.();
        return true;
      };
      const late = () => {
        if (!settle()) return;
        const error = this.#errors.timedOut(command, timeoutMs, outcome);
        connection.end(error);
        reject(error);
      };
      // Where this process itself was late, the answer may have arrived: it is read before `setImmediate`
      const timer = setTimeout(() => setImmediate(late), leftMs);
      const ask = (name: string, rest: readonly Argument[]) =>
        asBytes ? client.callBuffer(name, rest) : client.call(name, rest);
      const answered = (result: unknown) => {
        if (settle()) resolve(result);
      };
      const failed = (error: unknown) => {
        if (isFatal(error)) connection.end(error);
        if (settle()) reject(failureOf(this.#errors, error, outcome));
      };
      ask(command, args).then(answered, (error: unknown) => {
        if (source === undefined || isSettled || replyCode(error) !== 'NOSCRIPT') return failed(error);
        ask('EVAL', [source, ...args.slice(1)]).then(answered, failed);
      });
    });
  }

  /** In the order of the calls: none overtakes those that wait. */
  #sendLater(call: Call): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#stopping.signal.aborted) throw this.#errors.closed('NotExecuted');
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
        const text = `there was no connection to Redis within ${timeoutMs} ms${because(this.#failure)}`;
        waiter.refuse(this.#errors.unavailable(text, 'NotExecuted', this.#failure));
      }, timeoutMs);
      this.#waiters.add(waiter);
    });
  }

  #refuseWaiters(error: Error): void {
    for (const waiter of this.#waiters) waiter.refuse(error);
  }

  async #run(first: Client): Promise<void> {
    const { make, connected, disconnected, random, clock } = this.#options;
    const { signal } = this.#stopping;
    const backoff = new Backoff(reconnecting, random);
    let client = first;
    for (let attempt = 1; !signal.aborted; attempt++) {
      const connection = new Connection(client);
      this.#connection = connection;
      const isOpen = await this.#open(connection);
      if (isOpen) {
        backoff.reset();
        connected?.();
        this.#failure = await connection.over;
        this.#isOpen = false;
      }
      connection.end(undefined);
      if (signal.aborted) return;
      if (isOpen || attempt === 1) disconnected?.(this.#failure);
      await clock.sleep(backoff.nextMs(), signal);
      client = make();
    }
  }

  async #open(connection: Connection): Promise<boolean> {
    const { prepare, connectTimeoutMs } = this.#options;
    try {
      await connection.open(prepare, connectTimeoutMs, this.#lost);
      this.#lost = connection.identity;
    } catch (error) {
      this.#failure = error;
      this.#refuseIf(error);
      return false;
    }
    this.#refusal = undefined;
    this.#isOpen = true;
    for (const waiter of this.#waiters) waiter.send(connection);
    return true;
  }

  #refuseIf(error: unknown): void {
    this.#refusal = isRefusal(error) ? failureOf(this.#errors, error, 'NotExecuted') : undefined;
    if (this.#refusal !== undefined) this.#refuseWaiters(this.#refusal);
  }

  /** A server may have been configured otherwise since it was found fit. */
  #checkAgain(connection: Connection): void {
    const { prepare, checkAgainMs } = this.#options;
    const now = performance.now();
    if (prepare === undefined || now - connection.checkedAt < checkAgainMs) return;
    connection.checkedAt = now;
    prepare(connection.client).catch((error: unknown) => {
      if (!isRefusal(error)) return; // The calls beside it find out
      this.#refuseIf(error);
      connection.end(error);
    });
  }
}
