import { type Channel, channel } from '@ashlar/core';
import type { Outcome } from './policy.ts';

/** Every message names the balancer, and the endpoint by its id. */
interface About {
  readonly balancer: string;
  readonly endpoint: string;
}

/** An endpoint was chosen. */
export type PickMessage = About;
/** A request ended; `outcome` is `undefined` when it is unknown. */
export interface OutcomeMessage extends About {
  readonly outcome: Outcome | undefined;
}
/** A failed attempt is retried on `endpoint`; `attempt` is the number of the new one, 2 for the first retry. */
export interface RetryMessage extends About {
  readonly from: string;
  readonly attempt: number;
  readonly error?: unknown;
}
/** An attempt on `from` has taken `afterMs`, so `endpoint` gets a hedged request; `attempt` is its number. */
export interface HedgeMessage extends About {
  readonly from: string;
  readonly attempt: number;
  readonly afterMs: number;
}
/** An adaptive limiter changed how many requests an endpoint may have in flight. */
export interface LimitMessage extends About {
  readonly from: number;
  readonly to: number;
}
/** An endpoint is ejected for `forMs`, for the `times`th time. */
export interface EjectMessage extends About {
  readonly reason: string;
  readonly forMs: number;
  readonly times: number;
}
/** An ejected endpoint takes requests again. */
export interface ReturnMessage extends About {
  /** `probe`: a request to it succeeded; `limit`: more were ejected than `maxEjectionPercent` allows. */
  readonly reason: 'probe' | 'limit';
}
/** Checks changed the health of an endpoint. */
export interface HealthMessage extends About {
  readonly healthy: boolean;
  /** Why the latest check failed. */
  readonly error?: unknown;
}
/** A panic begins or ends: fewer endpoints than `panicPercent` are usable, or enough again. */
export interface PanicMessage {
  readonly balancer: string;
  readonly panicking: boolean;
  /** Endpoints that are neither ejected nor unhealthy. */
  readonly usable: number;
  /** Endpoints that are not drained and have had their first check. */
  readonly total: number;
}
/** `drain` or `undrain` was called. */
export interface DrainMessage extends About {
  readonly draining: boolean;
}
/** The set of endpoints changed. */
export interface EndpointsMessage {
  readonly balancer: string;
  readonly joined: readonly string[];
  readonly left: readonly string[];
  readonly changed: readonly string[];
}
/** A set was refused, or discovery ended on an error or without a usable set; the last good set stays in use. */
export interface DiscoveryFailedMessage {
  readonly balancer: string;
  readonly reason: 'refused' | 'threw' | 'ended';
  readonly error: unknown;
}

/** An endpoint did not answer a probe. */
export interface ProbeFailedMessage extends About {
  readonly error: unknown;
}

/** The diagnostics channels of a balancer; messages are made only for subscribers. */
export const channels: {
  readonly pick: Channel<PickMessage>;
  readonly outcome: Channel<OutcomeMessage>;
  readonly retry: Channel<RetryMessage>;
  readonly hedge: Channel<HedgeMessage>;
  readonly limit: Channel<LimitMessage>;
  readonly eject: Channel<EjectMessage>;
  readonly return: Channel<ReturnMessage>;
  readonly health: Channel<HealthMessage>;
  readonly panic: Channel<PanicMessage>;
  readonly drain: Channel<DrainMessage>;
  readonly endpoints: Channel<EndpointsMessage>;
  readonly probeFailed: Channel<ProbeFailedMessage>;
  readonly discoveryFailed: Channel<DiscoveryFailedMessage>;
} = /* @__PURE__ */ (() => ({
  pick: channel('ashlar:lb:pick'),
  outcome: channel('ashlar:lb:outcome'),
  retry: channel('ashlar:lb:retry'),
  hedge: channel('ashlar:lb:hedge'),
  limit: channel('ashlar:lb:limit'),
  eject: channel('ashlar:lb:eject'),
  return: channel('ashlar:lb:return'),
  health: channel('ashlar:lb:health'),
  panic: channel('ashlar:lb:panic'),
  drain: channel('ashlar:lb:drain'),
  endpoints: channel('ashlar:lb:endpoints'),
  probeFailed: channel('ashlar:lb:probe-failed'),
  discoveryFailed: channel('ashlar:lb:discovery-failed'),
}))();
