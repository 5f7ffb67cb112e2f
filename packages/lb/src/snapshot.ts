import type { Endpoint } from './endpoint.ts';
import type { DiscoveryState } from './follow.ts';
import type { Member } from './member.ts';

/** Safe as JSON; without urls, which may hold credentials. */
export interface EndpointSnapshot {
  readonly id: string;
  readonly zone?: string;
  readonly weight: number;
  /** `drained`: up, but of weight 0. */
  readonly state: 'up' | 'ejected' | 'probing' | 'drained';
  readonly inFlight: number;
  /** How many may be in flight, if that is limited. */
  readonly limit?: number;
  readonly picked: number;
  readonly succeeded: number;
  readonly failed: number;
  /** Ended without a word on how it went. */
  readonly canceled: number;
  readonly ejections: number;
  /** Until the first probe, while it is ejected. */
  readonly returnsInMs?: number;
}

export interface RequestsSnapshot {
  /** Requests that wait for an endpoint. */
  readonly waiting: number;
  readonly retries: number;
  /** Retries that the budget forbade. */
  readonly retriesRefused: number;
  readonly hedges: number;
  /** Hedges whose answer came first. */
  readonly hedgesWon: number;
  /** Hedges that the budget forbade. */
  readonly hedgesRefused: number;
}

export interface BalancerSnapshot extends RequestsSnapshot {
  readonly name: string;
  readonly closed: boolean;
  readonly discovery: DiscoveryState;
  /** What is wrong with discovery while the last good set stays in use. */
  readonly discoveryError?: string;
  /** Requests in flight, also to endpoints that have left. */
  readonly inFlight: number;
  readonly endpoints: readonly EndpointSnapshot[];
}

export function endpointSnapshot<E extends Endpoint>(member: Member<E>, now: number): EndpointSnapshot {
  const { endpoint, weight, standing, inFlight, picked, succeeded, failed, canceled, ejections } = member;
  const state = standing === 'ejected' || standing === 'probing' ? standing : weight > 0 ? 'up' : 'drained';
  return {
    id: endpoint.id,
    ...(endpoint.zone === undefined ? {} : { zone: endpoint.zone }),
    weight,
    state,
    inFlight,
    ...(member.limit === Infinity ? {} : { limit: member.limit }),
    picked,
    succeeded,
    failed,
    canceled,
    ejections,
    ...(state === 'ejected' ? { returnsInMs: Math.max(0, member.ejectedUntil - now) } : {}),
  };
}
