import { type Channel, channel } from '@ashlar/core';

interface OfQueue {
  readonly queue: string;
  readonly topic: string;
}
interface OfDelivery extends OfQueue {
  readonly group: string;
  readonly id: string;
  /** How often the message was handed out, this time included. */
  readonly attempt: number;
}

/** Messages were confirmed by the backend. */
export interface PublishedMessage extends OfQueue {
  readonly count: number;
}
/** Messages were not confirmed; `outcome` says whether they may have been published. */
export interface PublishFailedMessage extends OfQueue {
  readonly id: string;
  readonly outcome: 'NotExecuted' | 'Unknown';
  readonly error: unknown;
}
/** A handler ended well and its message is acknowledged. */
export interface HandledMessage extends OfDelivery {
  readonly durationMs: number;
}
/** A handler failed; `retryInMs` is absent when the message is dead. */
export interface FailedMessage extends OfDelivery {
  readonly durationMs: number;
  readonly error: unknown;
  readonly retryInMs?: number;
  /** What `retryIf` itself has thrown. */
  readonly retryIfError?: unknown;
}
/** A message was given back without a charge, as the store of its idempotency record cannot be asked; it comes again in `retryInMs`. */
export interface PostponedMessage extends OfDelivery {
  readonly error: unknown;
  readonly retryInMs: number;
}
/** A message went to the dead letters. */
export interface DeadMessage extends OfDelivery {
  readonly reason: string;
}
/** The lease of a delivery ended while its handler ran, or its settlement did not reach the backend. It comes again. */
export interface LostMessage extends OfDelivery {
  readonly error: unknown;
}
/** What a handler returned has no JSON form, so that it is not kept. The message is acknowledged: its effect happened. */
export interface ResultDroppedMessage extends OfDelivery {
  readonly error: unknown;
}
/** Consuming failed; the subscription tries again in `retryInMs`, which is absent when the driver is closed. */
export interface ConsumeFailedMessage extends OfQueue {
  readonly group: string;
  readonly error: unknown;
  readonly retryInMs?: number;
}
/** The backend's state or configuration breaks, or will break, what the driver promises. */
export interface WarningMessage {
  /** As its `kind` calls it. */
  readonly driver: string;
  readonly warning: string;
}

/** The `node:diagnostics_channel`s of this package. A message is built only while there is a subscriber. */
export const channels: {
  readonly published: Channel<PublishedMessage>;
  readonly publishFailed: Channel<PublishFailedMessage>;
  readonly handled: Channel<HandledMessage>;
  readonly failed: Channel<FailedMessage>;
  readonly postponed: Channel<PostponedMessage>;
  readonly dead: Channel<DeadMessage>;
  readonly lost: Channel<LostMessage>;
  readonly resultDropped: Channel<ResultDroppedMessage>;
  readonly consumeFailed: Channel<ConsumeFailedMessage>;
  readonly warning: Channel<WarningMessage>;
} = {
  published: channel('ashlar:queue:published'),
  publishFailed: channel('ashlar:queue:publish-failed'),
  handled: channel('ashlar:queue:handled'),
  failed: channel('ashlar:queue:failed'),
  postponed: channel('ashlar:queue:postponed'),
  dead: channel('ashlar:queue:dead'),
  lost: channel('ashlar:queue:lost'),
  resultDropped: channel('ashlar:queue:result-dropped'),
  consumeFailed: channel('ashlar:queue:consume-failed'),
  warning: channel('ashlar:queue:warning'),
};
