import { type Channel, channel } from '@ashlar/core';
import type { Topology } from './authority.ts';

interface OfSet {
  readonly set: string;
}

/** There is a new primary; connections of the earlier one are ended. */
export interface TopologyMessage extends OfSet, Topology {
  /** The primary before, if there was one. */
  readonly before: string | undefined;
}
/** A server answers, for the first time or again. */
export interface ServerUpMessage extends OfSet {
  readonly server: string;
}
/** A server does not answer and gets no work until it does. */
export interface ServerDownMessage extends OfSet {
  readonly server: string;
  readonly error: unknown;
}
/** Work was not executed and runs again. */
export interface RetryMessage extends OfSet {
  readonly operation: 'write' | 'read' | 'transaction';
  readonly server: string;
  readonly error: unknown;
}
/** A read that a replica could have served went to the primary, since none had what it must see. */
export interface FallbackMessage extends OfSet {
  readonly consistency: string;
}
/** Something an operator should know, told once until it changes. */
export interface WarningMessage extends OfSet {
  readonly warning: string;
}

/** The `node:diagnostics_channel`s of this package. A message is built only while there is a subscriber. */
export const channels: {
  readonly topology: Channel<TopologyMessage>;
  readonly serverUp: Channel<ServerUpMessage>;
  readonly serverDown: Channel<ServerDownMessage>;
  readonly retry: Channel<RetryMessage>;
  readonly fallback: Channel<FallbackMessage>;
  readonly warning: Channel<WarningMessage>;
} = {
  topology: channel('ashlar:replica-failover:topology'),
  serverUp: channel('ashlar:replica-failover:server-up'),
  serverDown: channel('ashlar:replica-failover:server-down'),
  retry: channel('ashlar:replica-failover:retry'),
  fallback: channel('ashlar:replica-failover:fallback'),
  warning: channel('ashlar:replica-failover:warning'),
};
