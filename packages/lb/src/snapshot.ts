import type { DiscoveryState } from './discovery/follower.ts';
import type { Endpoint } from './endpoint.ts';
import type { Member } from './endpoints/member.ts';
import { textOf } from './util/text-of.ts';

/** Safe as JSON; without urls, which may hold credentials. */
export interface EndpointSnapshot {
  readonly id: string;
  readonly zone?: string;
  readonly weight: number;
  /** The part of its weight that it has during a slow start; absent otherwise. */
  readonly slowStartPercent?: number;
  /**
   * `drained`: by weight 0 or `drain`, whatever its health. `unchecked`: waits for its first check. `probing`: takes one
   * request at a time after an ejection. In a panic all but the drained ones take requests.
   */
  readonly state: 'up' | 'unchecked' | 'unhealthy' | 'ejected' | 'probing' | 'drained';
  /** Why the latest check failed. */
  readonly checkError?: string;
  readonly inFlight: number;
  /** How many may be in flight; absent without a limit. */
  readonly limit?: number;
  readonly picked: number;
  readonly succeeded: number;
  readonly failed: number;
  /** Requests that ended with an unknown outcome. */
  readonly canceled: number;
  readonly ejections: number;
  /** Milliseconds until it is probed, while it is ejected. */
  readonly returnsInMs?: number;
}

export interface RequestsSnapshot {
  /** Requests that wait for an endpoint. */
  readonly waiting: number;
  readonly retries: number;
  /** Retries that the budget forbade. */
  readonly retriesRefused: number;
  readonly hedges: number;
  /** Hedged requests that answered first. */
  readonly hedgesWon: number;
  /** Hedges that the budget forbade. */
  readonly hedgesRefused: number;
}

export interface BalancerSnapshot extends RequestsSnapshot {
  readonly name: string;
  readonly closed: boolean;
  readonly discovery: DiscoveryState;
  /** The latest error of discovery, while the last good set stays in use. */
  readonly discoveryError?: string;
  /** Requests in flight, also to endpoints that have left. */
  readonly inFlight: number;
  /** Whether all endpoints take requests because too few are usable. */
  readonly panicking: boolean;
  readonly endpoints: readonly EndpointSnapshot[];
}

export function endpointSnapshot<E extends Endpoint>(member: Member<E>, now: number): EndpointSnapshot {
  const { endpoint, weight, fullWeight, limit, state, checkError } = member;
  const { inFlight, picked, succeeded, failed, canceled, ejections } = member;
  return {
    id: endpoint.id,
    ...(endpoint.zone === undefined ? {} : { zone: endpoint.zone }),
    weight: fullWeight,
    ...(weight === fullWeight ? {} : { slowStartPercent: Math.round((weight / fullWeight) * 100) }),
    state: stateOf(member),
    ...(checkError === undefined ? {} : { checkError: textOf(checkError) }),
    inFlight,
    ...(limit === undefined ? {} : { limit }),
    picked,
    succeeded,
    failed,
    canceled,
    ejections,
    ...(state === 'ejected' ? { returnsInMs: Math.max(0, member.ejectedUntil - now) } : {}),
  };
}

function stateOf<E extends Endpoint>({ isEnabled, health, state }: Member<E>): EndpointSnapshot['state'] {
  if (!isEnabled) return 'drained';
  if (health !== 'healthy') return health;
  return state === 'ejected' || state === 'probing' ? state : 'up';
}
