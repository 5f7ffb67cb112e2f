import { type Channel, channel } from '@ashlar/core';

interface OfStore {
  readonly store: string;
}

/** An operation of a store has ended; `error` is absent when it succeeded. */
export interface OperationMessage extends OfStore {
  readonly operation: string;
  readonly durationMs: number;
  readonly error?: unknown;
}
/** The backend answers again. */
export type ConnectedMessage = OfStore;
/** The backend does not answer; the store reconnects until it does. */
export interface DisconnectedMessage extends OfStore {
  readonly error: unknown;
}
/** Changes may have been missed: every watch of the store yields `reset`. */
export interface ResetMessage extends OfStore {
  readonly reason: string;
}
/** The backend's configuration may break what a store promises, or cannot be read. */
export interface WarningMessage extends OfStore {
  readonly warning: string;
}
/** `getMany`, `list` or a watch passed over a value that no store wrote, as if there were no such key. */
export interface InvalidValueMessage extends OfStore {
  readonly key: string;
  readonly error: unknown;
}

interface OfLease {
  readonly lease: string;
  readonly holder: string;
  readonly token: bigint;
}

/** `waitedMs` is the time from the call to the lease. */
export interface LeaseAcquiredMessage extends OfLease {
  readonly waitedMs: number;
}
/** A renewal was not confirmed; the lease tries again until it ends. */
export interface LeaseRenewalFailedMessage extends OfLease {
  readonly error: unknown;
}
export interface LeaseEndedMessage extends OfLease {
  readonly reason: 'released' | 'expired' | 'taken';
}

/** The `node:diagnostics_channel`s of this package. A message is built only while there is a subscriber. */
export const channels: {
  readonly operation: Channel<OperationMessage>;
  readonly connected: Channel<ConnectedMessage>;
  readonly disconnected: Channel<DisconnectedMessage>;
  readonly reset: Channel<ResetMessage>;
  readonly warning: Channel<WarningMessage>;
  readonly invalidValue: Channel<InvalidValueMessage>;
  readonly leaseAcquired: Channel<LeaseAcquiredMessage>;
  readonly leaseRenewalFailed: Channel<LeaseRenewalFailedMessage>;
  readonly leaseEnded: Channel<LeaseEndedMessage>;
} = {
  operation: channel('ashlar:store:operation'),
  connected: channel('ashlar:store:connected'),
  disconnected: channel('ashlar:store:disconnected'),
  reset: channel('ashlar:store:reset'),
  warning: channel('ashlar:store:warning'),
  invalidValue: channel('ashlar:store:invalid-value'),
  leaseAcquired: channel('ashlar:store:lease-acquired'),
  leaseRenewalFailed: channel('ashlar:store:lease-renewal-failed'),
  leaseEnded: channel('ashlar:store:lease-ended'),
};

/** The warnings of one subject: each is published once, until there is another. */
export class Warnings {
  readonly #store: string;
  #last: string | undefined;

  constructor(store: string) {
    this.#store = store;
  }

  /** @param warning undefined when there is nothing to warn of any more */
  publish(warning: string | undefined): void {
    if (warning !== undefined && warning !== this.#last && channels.warning.hasSubscribers) {
      channels.warning.publish({ store: this.#store, warning });
    }
    this.#last = warning;
  }
}
