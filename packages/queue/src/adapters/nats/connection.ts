import { Backoff, systemClock } from '@ashlar/core';
import type { ConnectionOptions, Msg, MsgHdrs, NatsConnection } from '@nats-io/transport-node';
import {
  AuthorizationError,
  connect,
  PermissionViolationError,
  RequestError,
  TimeoutError,
  UserAuthenticationExpiredError,
} from '#nats';
import { QueueClosedError, QueueTimeoutError, QueueUnavailableError } from '../../errors.ts';

const encoder = new TextEncoder();

/** An answer of JetStream that says no. */
export class JetStreamError extends Error {
  /** JetStream's own code, such as 10059: no such stream. */
  readonly number: number;

  constructor(number: number, description: string) {
    super(description);
    this.number = number;
  }
}

/** Codes of JetStream that this driver tells apart. */
export const codes = {
  noConsumer: 10_014,
  noMessage: 10_037,
  idInProcess: 10_158,
  streamExists: 10_058,
  noStream: 10_059,
  full: 10_077,
} as const;

export interface LinkOptions {
  readonly connection: object;
  readonly timeoutMs: number;
  readonly domain: string | undefined;
}

/** `away`: what was under way is lost. `closed`: it is not opened again by itself. */
export type LinkState = 'there' | 'away' | 'closed';

/**
 * One connection, opened with its first use and again whenever it was lost. The client drops what it is given while the
 * connection is away, so that nothing is given to it then.
 */
export class NatsLink {
  readonly #options: LinkOptions;
  readonly #api: string;
  readonly changed: Set<(state: LinkState) => void> = new Set();
  /** Of requests that have no answer: what ends them when the connection is lost. */
  readonly #pending = new Set<() => void>();
  #opening: Promise<NatsConnection> | undefined;
  /** While the connection is away, what ends the wait for it. */
  #away: AbortController | undefined;
  #isClosed = false;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#api = options.domain === undefined ? '$JS.API' : `$JS.${options.domain}.API`;
  }

  get isThere(): boolean {
    return this.#away === undefined;
  }

  /** @throws QueueUnavailableError, QueueClosedError */
  async open(): Promise<NatsConnection> {
    if (this.#isClosed) throw new QueueClosedError('the nats driver');
    this.#opening ??= this.#open();
    return this.#opening;
  }

  apiSubject(subject: string): string {
    return `${this.#api}.${subject}`;
  }

  /** Asks the API of JetStream. @throws JetStreamError, QueueUnavailableError */
  async api<T>(subject: string, body: object = {}): Promise<T> {
    const message = await this.request(this.apiSubject(subject), encoder.encode(JSON.stringify(body)));
    return answer(message) as T;
  }

  /** @throws QueueUnavailableError; `NotExecuted` when nobody is there to answer */
  async request(subject: string, body: Uint8Array, headers?: MsgHdrs): Promise<Msg> {
    const { timeoutMs } = this.#options;
    const endsAt = systemClock.now() + timeoutMs;
    const connection = await this.open();
    if (!this.isThere) await this.#untilThere(subject, endsAt);
    const timeout = Math.max(1, endsAt - systemClock.now());
    try {
      return await this.#unlessLost(
        connection.request(subject, body, { timeout, ...(headers && { headers }) }),
      );
    } catch (error) {
      if (this.#isClosed) throw new QueueClosedError('the nats driver');
      throw this.#errorOf(error as Error, subject);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#away?.abort();
    const connection = await this.#opening?.catch(() => undefined);
    await connection?.close();
  }

  async #open(): Promise<NatsConnection> {
    const { connection: given, timeoutMs } = this.#options;
    const endsAt = systemClock.now() + timeoutMs;
    const backoff = new Backoff({ firstMs: 50, maxMs: 500 });
    for (;;) {
      try {
        const connection = await connect({
          timeout: timeoutMs,
          pingInterval: 3_000,
          maxPingOut: 2,
          reconnectTimeWait: 250,
          reconnectJitter: 100,
          // Two stacks for each request would cost a fifth of all; our own errors have one
          noAsyncTraces: true,
          ...(given as ConnectionOptions),
          maxReconnectAttempts: -1,
        });
        if (this.#isClosed) await connection.close();
        void this.#follow(connection);
        return connection;
      } catch (error) {
        const isRefused =
          error instanceof AuthorizationError || error instanceof UserAuthenticationExpiredError;
        if (this.#isClosed || isRefused || systemClock.now() >= endsAt) {
          this.#opening = undefined;
          throw unavailable('NotExecuted', error);
        }
        // Somebody waits for it: with nothing else to do, the process must not end before the answer
        await systemClock.sleep(backoff.nextMs());
      }
    }
  }

  async #follow(connection: NatsConnection): Promise<void> {
    for await (const { type } of connection.status()) {
      if (type === 'disconnect') {
        this.#away ??= new AbortController();
        this.#becomes('away');
      } else if (type === 'reconnect') {
        this.#away?.abort();
        this.#away = undefined;
        this.#becomes('there');
      }
    }
    // It is not opened again by itself, for example after its credentials were refused
    this.#opening = undefined;
    this.#away?.abort();
    this.#away = undefined;
    this.#becomes('closed');
  }

  #becomes(state: LinkState): void {
    if (state !== 'there') {
      const lost = [...this.#pending];
      this.#pending.clear();
      for (const lose of lost) lose();
    }
    for (const each of this.changed) each(state);
  }

  async #untilThere(subject: string, endsAt: number): Promise<void> {
    const leftMs = Math.max(0, endsAt - systemClock.now());
    await systemClock.sleep(leftMs, this.#away?.signal).catch(() => {});
    if (this.#isClosed) throw new QueueClosedError('the nats driver');
    if (!this.isThere) throw new QueueTimeoutError(subject, this.#options.timeoutMs, 'NotExecuted');
  }

  #unlessLost<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const lose = () => reject(new Error('it was lost before the answer'));
      this.#pending.add(lose);
      work.then(
        result => {
          this.#pending.delete(lose);
          resolve(result);
        },
        error => {
          this.#pending.delete(lose);
          reject(error as Error);
        },
      );
    });
  }

  #errorOf(error: Error, subject: string): Error {
    const { cause } = error;
    if (error instanceof TimeoutError || cause instanceof TimeoutError) {
      return new QueueTimeoutError(subject, this.#options.timeoutMs);
    }
    if (error instanceof PermissionViolationError || cause instanceof PermissionViolationError) {
      return unavailable('NotExecuted', cause instanceof PermissionViolationError ? cause : error);
    }
    if (!(error instanceof RequestError) || !error.isNoResponders()) return unavailable('Unknown', error);
    const words = subject.startsWith(this.#api)
      ? `JetStream does not answer at ${this.#api}: it is not enabled for this server or account, or has another domain`
      : `no stream takes messages at ${subject}`;
    return new QueueUnavailableError(words, 'NotExecuted', { cause: error });
  }
}

/** What JetStream has answered. @throws JetStreamError */
export function answer(message: Msg): unknown {
  const found = message.json<{
    readonly error?: { readonly err_code?: number; readonly description?: string };
  }>();
  if (found.error === undefined) return found;
  throw new JetStreamError(
    found.error.err_code ?? 0,
    found.error.description ?? 'an error without a description',
  );
}

/**
 * JetStream has a message that was published to a stream. While its servers agree on one, or when the server that led them
 * was lost over that, it answers another try with the same id as one that it has at no place, or by an error: then it may
 * never have it (nats-server#6415).
 *
 * @throws JetStreamError, QueueUnavailableError with the outcome `Unknown`
 */
export function confirmed(message: Msg): { readonly isDuplicate: boolean } {
  let found: { readonly seq?: number; readonly duplicate?: boolean };
  try {
    found = answer(message) as typeof found;
  } catch (error) {
    if (error instanceof JetStreamError && error.number === codes.idInProcess) throw inProcess(error);
    throw error;
  }
  const isDuplicate = found.duplicate === true;
  if (isDuplicate && found.seq === 0) throw inProcess();
  return { isDuplicate };
}

function inProcess(cause?: Error): QueueUnavailableError {
  const words = 'JetStream has begun to store a message with this id, and does not say that it has it';
  return new QueueUnavailableError(words, 'Unknown', { cause });
}

function unavailable(outcome: 'NotExecuted' | 'Unknown', cause: unknown): QueueUnavailableError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new QueueUnavailableError(`the connection to NATS failed: ${why}`, outcome, { cause });
}
