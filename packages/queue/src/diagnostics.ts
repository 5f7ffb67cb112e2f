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
}
/** A message went to the dead letters. */
export interface DeadMessage extends OfDelivery {
  readonly reason: string;
}
/** The lease of a delivery ended while its handler ran, or its settlement did not reach the backend. It comes again. */
export interface LostMessage extends OfDelivery {
  readonly error: unknown;
}
/** Consuming failed; the subscription tries again in `retryInMs`. */
export interface ConsumeFailedMessage extends OfQueue {
  readonly group: string;
  readonly error: unknown;
  readonly retryInMs: number;
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
  readonly dead: Channel<DeadMessage>;
  readonly lost: Channel<LostMessage>;
  readonly consumeFailed: Channel<ConsumeFailedMessage>;
  readonly warning: Channel<WarningMessage>;
} = {
  published: channel('ashlar:queue:published'),
  publishFailed: channel('ashlar:queue:publish-failed'),
  handled: channel('ashlar:queue:handled'),
  failed: channel('ashlar:queue:failed'),
  dead: channel('ashlar:queue:dead'),
  lost: channel('ashlar:queue:lost'),
  consumeFailed: channel('ashlar:queue:consume-failed'),
  warning: channel('ashlar:queue:warning'),
};
