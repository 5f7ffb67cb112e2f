import type { FencingToken } from '@ashlar/store';
import type { Delivery } from '../driver.ts';
import { UnsupportedError } from '../errors.ts';
import { keptBytes } from '../messages/envelope.ts';

/** What a handler knows of its message. */
export interface HandlerContext {
  readonly topic: string;
  readonly group: string;
  readonly id: string;
  readonly key: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** How often the message was handed out to the group, this time included. */
  readonly attempt: number;
  /** Aborts when the handler's time is over, when its lease is lost, and when a closing subscription does not wait longer. */
  readonly signal: AbortSignal;
  /** The same for each attempt at the message, and for no other message; for services that take an idempotency key. */
  readonly idempotencyKey: string;
  /** Keeps a value of how far the handler is, for `queue.find`. @throws UnsupportedError where the driver keeps no jobs */
  readonly progress: (value: unknown) => Promise<void>;
  /** With `idempotency`: greater than that of every earlier attempt. */
  readonly token?: bigint;
  /** With `idempotency`: what a write presents to a sink that refuses older attempts, such as `fencedUpdate` of @ashlar/store. */
  readonly fence?: FencingToken;
}

/** What a handler with `idempotency` of mode `transaction` knows of its message. */
export interface TransactionContext<Tx = TransactionClient> extends HandlerContext {
  /** What is done with it happens exactly once; it commits after the handler has ended well, and is rolled back otherwise. */
  readonly tx: Tx;
}

/** A connection of `pg`, for as long as its transaction lasts. */
export interface TransactionClient {
  query(
    text: string,
    values?: unknown[],
    // biome-ignore lint/suspicious/noExplicitAny: as in `pg`
  ): Promise<{ readonly rows: any[]; readonly rowCount: number | null }>;
}

/** What a handler of batches knows of its messages. */
export interface BatchContext {
  /** One for each payload, in their order; the signal of one aborts when its own lease is lost. */
  readonly items: readonly HandlerContext[];
  /** Aborts with the first of them. */
  readonly signal: AbortSignal;
}

/** A message whose handler runs, or is about to. */
export class Running implements HandlerContext {
  readonly topic: string;
  readonly group: string;
  readonly delivery: Delivery;
  /** When the lease ends unless it is extended, by the clock of the subscription. */
  leaseEndsAt: number;
  /** When its handler was to begin, by the same clock. */
  readonly startedAt: number;
  fence?: FencingToken;
  tx?: unknown;
  #idempotencyKey: string | undefined;
  /** Made when asked for: a controller for each message would cost more than all else. */
  #controller: AbortController | undefined;
  #aborted: { readonly reason: Error } | undefined;
  #onAbort: ((reason: Error) => void) | undefined;

  constructor(topic: string, group: string, delivery: Delivery, startedAt: number, leaseEndsAt: number) {
    this.topic = topic;
    this.group = group;
    this.delivery = delivery;
    this.startedAt = startedAt;
    this.leaseEndsAt = leaseEndsAt;
  }

  get id(): string {
    return this.delivery.id;
  }

  get key(): string | undefined {
    return this.delivery.key;
  }

  get headers(): Readonly<Record<string, string>> {
    return this.delivery.headers;
  }

  get attempt(): number {
    return this.delivery.deliveries;
  }

  get failures(): number {
    return this.delivery.failures ?? this.delivery.deliveries - 1;
  }

  get token(): bigint {
    return this.fence?.token as bigint;
  }

  get idempotencyKey(): string {
    return this.#idempotencyKey ?? `${this.group}:${this.topic}:${this.id}`;
  }

  set idempotencyKey(key: string) {
    this.#idempotencyKey = key;
  }

  /** A function of its own, as handlers take their context apart. */
  get progress(): (value: unknown) => Promise<void> {
    return async value => {
      if (this.delivery.progress === undefined)
        throw new UnsupportedError('progress', 'present', 'a record of jobs');
      await this.delivery.progress(keptBytes(this.topic, value));
    };
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#aborted !== undefined) this.#controller.abort(this.#aborted.reason);
    }
    return this.#controller.signal;
  }

  /** Why the handler's result no longer counts. */
  get abortReason(): Error | undefined {
    return this.#aborted?.reason;
  }

  abort(reason: Error): void {
    if (this.#aborted !== undefined) return;
    this.#aborted = { reason };
    this.#controller?.abort(reason);
    this.#onAbort?.(reason);
  }

  /** Settles as the handler does, or rejects with the reason of the abort. */
  untilAbort<T>(work: PromiseLike<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#aborted !== undefined) reject(this.#aborted.reason);
      this.#onAbort = reject;
      work.then(resolve, reject);
    });
  }
}
