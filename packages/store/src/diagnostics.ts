import { type Channel, channel } from '@ashlar/core';

interface About {
  readonly store: string;
}

/** An operation of a store has ended; `error` is absent when it succeeded. */
export interface OperationMessage extends About {
  readonly operation: string;
  readonly durationMs: number;
  readonly error?: unknown;
}
/** The backend can be asked again. */
export type ConnectedMessage = About;
/** The backend does not answer; it is tried again until it does. */
export interface DisconnectedMessage extends About {
  readonly error: unknown;
}
/** Everybody who watches is told to list again. */
export interface ResetMessage extends About {
  readonly reason: string;
}
/** The backend is set up so that it may break its promises, or cannot be asked whether it is. */
export interface WarningMessage extends About {
  readonly warning: string;
}

interface AboutLease {
  readonly lease: string;
  readonly holder: string;
  readonly token: bigint;
}

/** `waitedMs` passed since it was asked for. */
export interface LeaseAcquiredMessage extends AboutLease {
  readonly waitedMs: number;
}
/** A renewal could not be confirmed; it is tried again until the lease ends. */
export interface LeaseRenewalFailedMessage extends AboutLease {
  readonly error: unknown;
}
export interface LeaseEndedMessage extends AboutLease {
  readonly reason: 'released' | 'expired' | 'taken';
}

/** Where stores and leases tell what happens; a message is made only when somebody listens. */
export const channels: {
  readonly operation: Channel<OperationMessage>;
  readonly connected: Channel<ConnectedMessage>;
  readonly disconnected: Channel<DisconnectedMessage>;
  readonly reset: Channel<ResetMessage>;
  readonly warning: Channel<WarningMessage>;
  readonly leaseAcquired: Channel<LeaseAcquiredMessage>;
  readonly leaseRenewalFailed: Channel<LeaseRenewalFailedMessage>;
  readonly leaseEnded: Channel<LeaseEndedMessage>;
} = {
  operation: channel('ashlar:store:operation'),
  connected: channel('ashlar:store:connected'),
  disconnected: channel('ashlar:store:disconnected'),
  reset: channel('ashlar:store:reset'),
  warning: channel('ashlar:store:warning'),
  leaseAcquired: channel('ashlar:store:lease-acquired'),
  leaseRenewalFailed: channel('ashlar:store:lease-renewal-failed'),
  leaseEnded: channel('ashlar:store:lease-ended'),
};
