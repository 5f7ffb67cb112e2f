import { AshlarError, type CallOutcome, describe } from '@ashlar/core';

/** The backend was not reached, refused, or disconnected before it answered; the `cause` says how. */
export class QueueUnavailableError extends AshlarError {
  static override readonly code: string = 'ASHLAR_QUEUE_UNAVAILABLE';
  static override readonly retryable: boolean = true;
  readonly outcome: CallOutcome;

  constructor(message: string, outcome: CallOutcome, options?: ErrorOptions) {
    super(message, options);
    this.outcome = outcome;
  }
}

/** The backend did not answer in time. `Unknown` may be published again with the same id. */
export class QueueTimeoutError extends QueueUnavailableError {
  static override readonly code: string = 'ASHLAR_QUEUE_TIMEOUT';
  readonly timeoutMs: number;

  constructor(
    operation: string,
    timeoutMs: number,
    outcome: CallOutcome = 'Unknown',
    options?: ErrorOptions,
  ) {
    const why = options?.cause instanceof Error ? `: ${options.cause.message}` : '';
    super(`${operation} was not answered within ${timeoutMs} ms${why}`, outcome, options);
    this.timeoutMs = timeoutMs;
  }
}

/** The queue or its driver was closed before or during the call. */
export class QueueClosedError extends AshlarError {
  static override readonly code: string = 'ASHLAR_QUEUE_CLOSED';
  readonly outcome: CallOutcome;

  constructor(queue: string, outcome: CallOutcome = 'NotExecuted', why?: string) {
    super(why === undefined ? `${queue} is closed` : `${queue} is closed: ${why}`);
    this.outcome = outcome;
  }
}

/** The backend holds as many messages of the group as it may. `Unknown`: other groups of the topic may have the message. */
export class QueueFullError extends AshlarError {
  static override readonly code: string = 'ASHLAR_QUEUE_FULL';
  static override readonly retryable: boolean = true;
  readonly outcome: 'NotExecuted' | 'Unknown';
  readonly topic: string;
  readonly group: string;
  readonly max: number;

  constructor(topic: string, group: string, max: number, outcome: 'NotExecuted' | 'Unknown' = 'NotExecuted') {
    super(`group ${describe(group)} of topic ${describe(topic)} holds its maximum of ${max} messages`);
    this.outcome = outcome;
    this.topic = topic;
    this.group = group;
    this.max = max;
  }
}

/** The backend's configuration would lose what the driver promises to keep. Retryable, because an operator mends it. */
export class UnsafeBackendError extends AshlarError {
  static override readonly code: string = 'ASHLAR_QUEUE_UNSAFE_BACKEND';
  static override readonly retryable: boolean = true;
  readonly outcome: CallOutcome = 'NotExecuted';
}

/** The backend did not confirm a message; the `cause` says why. Publishing it again with this `id` makes it one message. */
export class PublishError extends AshlarError {
  static override readonly code: string = 'ASHLAR_QUEUE_NOT_PUBLISHED';
  static override readonly retryable: boolean = true;
  readonly topic: string;
  readonly id: string;
  /** `Unknown`: it may have been published. */
  readonly outcome: CallOutcome;

  constructor(topic: string, id: string, outcome: 'NotExecuted' | 'Unknown', options?: ErrorOptions) {
    const why = options?.cause instanceof Error ? `: ${options.cause.message}` : '';
    super(`message ${describe(id)} for topic ${describe(topic)} was not confirmed${why}`, options);
    this.topic = topic;
    this.id = id;
    this.outcome = outcome;
  }
}

/** No group is declared for the topic, so that the message would be lost. Nothing was published. */
export class UnroutedError extends AshlarError {
  static override readonly code: string = 'ASHLAR_QUEUE_UNROUTED';
  readonly outcome: CallOutcome = 'NotExecuted';
  readonly topic: string;

  constructor(topic: string) {
    super(
      `topic ${describe(topic)} has no group that would receive the message; subscribe or declare one first, ` +
        'or publish with `allowUnrouted: true`',
    );
    this.topic = topic;
  }
}

/** The driver cannot do what an option or a call asks for. Nothing was done. */
export class UnsupportedError extends AshlarError {
  static override readonly code: string = 'ASHLAR_QUEUE_UNSUPPORTED';
  readonly outcome: CallOutcome = 'NotExecuted';
  /** The option or method. */
  readonly feature: string;
  /** The driver, as its `kind` calls it. */
  readonly driver: string;

  constructor(feature: string, driver: string, needs: string) {
    super(`\`${feature}\` needs ${needs}, which the ${driver} driver does not have`);
    this.feature = feature;
    this.driver = driver;
  }
}

/** A payload cannot be encoded, does not satisfy the schema of its topic, or is too large. Nothing was published. */
export class InvalidPayloadError extends AshlarError {
  static override readonly code: string = 'ASHLAR_QUEUE_INVALID_PAYLOAD';
  readonly outcome: CallOutcome = 'NotExecuted';
  readonly topic: string;
  /** What the schema found, as `path: message`. */
  readonly issues: readonly string[];

  constructor(topic: string, issues: readonly string[], options?: ErrorOptions) {
    super(`the payload for topic ${describe(topic)} is invalid: ${issues.join('; ')}`, options);
    this.topic = topic;
    this.issues = issues;
  }

  /** The same, of a payload among others. */
  at(place: string): InvalidPayloadError {
    const issues = this.issues.map(issue => `${place}: ${issue}`);
    return new InvalidPayloadError(this.topic, issues, { cause: this.cause });
  }
}

/** The lease of a delivery has ended: another consumer may have the message. What was settled is what the other settles. */
export class DeliveryLostError extends AshlarError {
  static override readonly code: string = 'ASHLAR_QUEUE_DELIVERY_LOST';
  readonly id: string;

  constructor(id: string) {
    super(`message ${describe(id)} is no longer in these hands: its lease has ended`);
    this.id = id;
  }
}

/** A handler did not end in time; its signal aborts with this. Counts as a failure. */
export class HandlerTimeoutError extends AshlarError {
  static override readonly code: string = 'ASHLAR_QUEUE_HANDLER_TIMEOUT';
  static override readonly retryable: boolean = true;
  readonly timeoutMs: number;

  constructor(topic: string, timeoutMs: number) {
    super(`the handler of ${describe(topic)} did not end within ${timeoutMs} ms`);
    this.timeoutMs = timeoutMs;
  }
}

/** The subscription closes and no longer waits for the handler; its signal aborts with this. No failure is counted. */
export class DrainTimeoutError extends AshlarError {
  static override readonly code: string = 'ASHLAR_QUEUE_DRAIN_TIMEOUT';
  readonly timeoutMs: number;

  constructor(topic: string, timeoutMs: number) {
    super(
      `the subscription of ${describe(topic)} closes, and the handler did not end within ${timeoutMs} ms; one that waits ` +
        'for that itself passes its context: `close({ within: context })`',
    );
    this.timeoutMs = timeoutMs;
  }
}

/** Thrown by a handler: the message can never be handled and goes to the dead letters at once. */
export class DoNotRetryError extends AshlarError {
  static override readonly code: string = 'ASHLAR_QUEUE_DO_NOT_RETRY';
}

/** A `tx` was used after its transaction had ended. Nothing was executed. */
export class TransactionEndedError extends AshlarError {
  static override readonly code: string = 'ASHLAR_QUEUE_TRANSACTION_ENDED';
  readonly outcome: CallOutcome = 'NotExecuted';

  constructor() {
    super('the transaction has ended; `await` what is to be part of it, before its end');
  }
}

/** A table has the name of one of ours, and is another's. Nothing was done. */
export class TableShapeError extends AshlarError {
  static override readonly code: string = 'ASHLAR_QUEUE_TABLE_SHAPE';
  readonly outcome: CallOutcome = 'NotExecuted';
  readonly table: string;
  /** A sentence each. */
  readonly differences: readonly string[];

  constructor(table: string, differences: readonly string[]) {
    super(
      `table ${describe(table)} is not one of the queue: ${differences.join('; ')}; choose another name for ours`,
    );
    this.table = table;
    this.differences = differences;
  }
}

/** The group, or the queue behind it, was deleted while it was consumed. */
export class GroupGoneError extends AshlarError {
  static override readonly code: string = 'ASHLAR_QUEUE_GROUP_GONE';
  static override readonly retryable: boolean = true;
  readonly topic: string;
  readonly group: string;

  constructor(topic: string, group: string, options?: ErrorOptions) {
    super(`group ${describe(group)} of topic ${describe(topic)} does not exist`, options);
    this.topic = topic;
    this.group = group;
  }
}

/** Two messages with different payloads under one idempotency key: one of them would be dropped. Not retried. */
export class IdempotencyConflictError extends AshlarError {
  static override readonly code: string = 'ASHLAR_QUEUE_IDEMPOTENCY_CONFLICT';
  readonly topic: string;
  readonly id: string;
  readonly key: string;

  constructor(topic: string, id: string, key: string) {
    super(`message ${describe(id)} has another payload than the one that was handled as ${describe(key)}`);
    this.topic = topic;
    this.id = id;
    this.key = key;
  }
}

/** The store of the idempotency records did not answer: it is not known whether the message was handled. No failure is counted. */
export class OnceUnavailableError extends AshlarError {
  static override readonly code: string = 'ASHLAR_QUEUE_ONCE_UNAVAILABLE';
  static override readonly retryable: boolean = true;
  /** Of the handling: `Executed` when only its record is missing. */
  readonly outcome: CallOutcome;

  constructor(id: string | undefined, options: ErrorOptions) {
    const what =
      id === undefined
        ? 'it is not known whether the message was handled'
        : `message ${describe(id)} was handled and has no record`;
    super(`the store of the idempotency records does not answer: ${what}`, options);
    this.outcome = id === undefined ? 'Unknown' : 'Executed';
  }
}
