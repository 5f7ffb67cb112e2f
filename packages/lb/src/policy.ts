import { InvalidOptionError, isClass, nearest, type Random, type Rule, refused } from '@ashlar/core';
import type { Key } from '@ashlar/hash-ring';
import type { Endpoint } from './endpoint.ts';

/**
 * An endpoint as a policy sees it. It is one object for as long as the endpoint stays, changed in place: policies may keep
 * it, compare it by identity and read it at any time.
 */
export interface Candidate<E extends Endpoint> {
  readonly endpoint: E;
  /** Requests that were picked and are not done. */
  readonly inFlight: number;
  /** Above 0. `update` follows each change. */
  readonly weight: number;
}

/** What a policy knows of a request. Valid during the call only: the balancer reuses the object. */
export interface PickRequest<E extends Endpoint> {
  /** What the request is about, for policies that send equal keys to one endpoint. */
  readonly key?: Key | undefined;
  /** Monotonic, in milliseconds. */
  readonly now: number;
  readonly random: Random;
  /** Requests in flight on all eligible candidates together, where the caller counts them. */
  readonly inFlight?: number;
  /** Candidates that must not be picked for this request: tried before, excluded by the caller, being probed, at their limit. */
  skip(candidate: Candidate<E>): boolean;
}

/**
 * Decides which endpoint takes a request. Synchronous and pure: no I/O, no timers, no clock or randomness of its own; equal
 * calls give equal results. `pick` should cost the same for any number of candidates, and allocate nothing.
 */
export interface Policy<E extends Endpoint = Endpoint> {
  /**
   * Sets the candidates, in the order of the endpoints; each array is new, and the policy may keep it. Called before the
   * first pick, and whenever a candidate joins, leaves, is ejected, comes back or changes.
   *
   * @param all the eligible candidates and those that are ejected or unhealthy; if absent, all are eligible
   */
  update(eligible: readonly Candidate<E>[], all?: readonly Candidate<E>[]): void;
  /** Returns an eligible candidate that need not be skipped; `undefined` when there is none. */
  pick(request: PickRequest<E>): Candidate<E> | undefined;
  /**
   * A request to a candidate ended, at `now`. Not called when its outcome is unknown, nor after the candidate has left;
   * called for an ejected candidate too, for requests from before.
   */
  settled?(candidate: Candidate<E>, outcome: Outcome, now: number): void;
  /**
   * A request to a candidate was canceled at `now`, after `afterMs`, because another attempt was quicker: neither a success
   * nor a failure, but it would have taken longer than that.
   */
  outrun?(candidate: Candidate<E>, afterMs: number, now: number): void;
  /**
   * Whether a request with this key may go to the candidate, which its caller prefers: then it does, and `pick` is not
   * called. If absent, every one may.
   */
  serves?(candidate: Candidate<E>, key: Key | undefined): boolean;
  /** For a policy that needs probes: how the balancer makes them. */
  readonly probing?: Probing<E> | undefined;
}

/** Makes a policy for one balancer; policies keep state. */
export type PolicyFactory = <E extends Endpoint>() => Policy<E>;

const expected = 'a policy, as `roundRobin()`';

/** As users know them: the policies themselves are not imported here, so that a bundle has only those it uses. */
export const policyNames = [
  'roundRobin',
  'random',
  'weightedRoundRobin',
  'leastRequests',
  'peakEwma',
  'prequal',
  'consistent',
  'shuffleShard',
  'zoneAware',
] as const;

/** For a policy by the name that it has elsewhere: `round-robin`, `LEAST_REQUEST`. */
function adviceFor(given: string): string {
  const meant = nearest(given, policyNames);
  const from = "imported from '@ashlar/lb'";
  return meant === undefined
    ? `there are ${policyNames.join('(), ')}(), ${from}`
    : `write \`${meant}()\`, ${from}`;
}

/** A factory of policies: what `roundRobin()` returns, not `roundRobin` itself. */
export const policyRule: Rule<PolicyFactory | undefined> = (value, option) => {
  const isFunction = typeof value === 'function' && !isClass(value);
  if (value === undefined || isFunction) return value as PolicyFactory | undefined;
  throw refused(option, expected, value, given => {
    if (typeof given === 'string') return adviceFor(given);
    if (typeof given === 'function') return `write \`() => new ${given.name}()\``;
    return isPolicy(given) ? 'each balancer has a policy of its own: write `() => new Policy()`' : undefined;
  });
};

/** A policy for one balancer. @throws InvalidOptionError, also for a factory of factories that was not called */
export function makePolicy<E extends Endpoint>(factory: PolicyFactory): Policy<E> {
  const policy: unknown = factory<E>();
  if (isPolicy(policy)) return policy as Policy<E>;
  if (typeof policy !== 'function')
    throw refused('policy', `${expected}, a function that returns one`, policy);
  const message = `\`policy\` must be ${expected}, got a function that makes no policy: call it`;
  throw new InvalidOptionError('policy', message);
}

function isPolicy(value: unknown): boolean {
  const { update, pick } = (value ?? {}) as Partial<Policy>;
  return typeof update === 'function' && typeof pick === 'function';
}

/** How a request went, as its caller reports it to `done`. */
export interface Settlement {
  /** Whether the endpoint did its work. An answer that is the caller's own fault is `ok`. */
  readonly ok: boolean;
  /**
   * `false`: the failure is not the endpoint's fault, as a 429 that limits this client. Outlier detection counts it as an
   * answer and does not eject for it; policies and limiters count it as a failure, which moves load away. Default: true.
   */
  readonly blame?: boolean;
  readonly error?: unknown;
  /** How long the endpoint asked to be left alone, as by `Retry-After`, in milliseconds. */
  readonly retryAfterMs?: number;
  /** How long the endpoint took, in milliseconds. Default: from the pick to `done`, which is too long for a stream. */
  readonly latencyMs?: number;
}

/** How a request went, as policies and outlier detection see it. */
export interface Outcome extends Settlement {
  readonly latencyMs: number;
}

/** Policies and detectors compute with these numbers: one that is no duration is not passed on. */
export function outcomeOf(
  { ok, blame, error, retryAfterMs, latencyMs }: Settlement,
  sincePickedMs: number,
): Outcome {
  const outcome: { -readonly [K in keyof Outcome]: Outcome[K] } = {
    ok,
    latencyMs: isDuration(latencyMs) ? latencyMs : sincePickedMs,
  };
  if (blame === false) outcome.blame = false;
  if (error !== undefined) outcome.error = error;
  if (isDuration(retryAfterMs)) outcome.retryAfterMs = retryAfterMs;
  return outcome;
}

/** Whether it is a failure that is not the endpoint's fault. */
export function isExcused({ ok, blame }: Outcome): boolean {
  return !ok && blame === false;
}

function isDuration(ms: number | undefined): ms is number {
  return ms !== undefined && ms >= 0 && ms < Infinity;
}

/** The answer of an endpoint to a probe. */
export interface Load {
  /** Requests in flight at the endpoint, of all its clients. */
  readonly inFlight: number;
  /** How long it takes to answer with that many in flight, in milliseconds; 0 when unknown. */
  readonly latencyMs: number;
}

export interface ProbeContext {
  readonly endpoint: Endpoint;
  /** Aborts when the answer would come too late, and when the balancer closes. */
  readonly signal: AbortSignal;
}

/** Asks an endpoint for its load, by any protocol. An error counts as no answer. */
export type Probe = (context: ProbeContext) => Promise<Load>;

/** How a policy has probes made. The balancer makes them and reports the answers, so that the policy stays pure. */
export interface Probing<E extends Endpoint> {
  readonly probe: Probe;
  /** How long an answer may take, in milliseconds. */
  readonly timeoutMs: number;
  /** The next candidate to probe; called after each pick until it returns `undefined`. One probe a candidate at a time. */
  next(random: Random): Candidate<E> | undefined;
  /** Receives the answer to a probe, at `now`; the candidate may have left by then. */
  probed(candidate: Candidate<E>, load: Load, now: number): void;
}
