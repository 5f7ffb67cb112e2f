import {
  backgroundClock,
  type Clock,
  describe,
  InvalidOptionError,
  numberOption,
  type Random,
  systemClock,
} from '@ashlar/core';
import { Follower } from './discovery/follower.ts';
import { checkedEndpoints, type Endpoint, isDiscovery } from './endpoint.ts';
import { Availability } from './endpoints/availability.ts';
import { Drains } from './endpoints/drain.ts';
import { EndpointSet } from './endpoints/endpoint-set.ts';
import { Members } from './endpoints/member.ts';
import { SlowStart } from './endpoints/slow-start.ts';
import { HealthChecks } from './health/health-checks.ts';
import { healthSettings } from './health/options.ts';
import { checkConcurrency } from './limits/limiter.ts';
import { checkNames, type LoadBalancerOptions } from './options.ts';
import { OutlierEjection } from './outlier/ejection.ts';
import { outlierSettings } from './outlier/options.ts';
import { leastRequests } from './policies/least-requests.ts';
import { makePolicy, type Policy } from './policy.ts';
import { Prober } from './probes/prober.ts';
import type { AcquireOptions, Attempt, DrainOptions, Picked, PickOptions, RunOptions } from './request.ts';
import { Hedging } from './requests/hedge.ts';
import { Requests } from './requests/requests.ts';
import { Retrying } from './requests/retry.ts';
import { waitSettings } from './requests/wait-queue.ts';
import { type BalancerSnapshot, endpointSnapshot } from './snapshot.ts';
import { Timers } from './util/timers.ts';

/**
 * Says which endpoint takes the next request, follows how requests go, and leaves out endpoints that fail.
 *
 * `pick` only chooses: the caller makes the request and says how it went. `run` makes the attempts too: with a
 * deadline, and on another endpoint when that is safe. It opens no connections of its own, and has no timers but for what
 * waits and for checks.
 */
export class LoadBalancer<E extends Endpoint> implements AsyncDisposable {
  readonly name: string;
  readonly #clock: Clock;
  readonly #endpointSet: EndpointSet<E>;
  readonly #drains: Drains<E>;
  readonly #checks: HealthChecks<E> | undefined;
  readonly #prober: Prober<E> | undefined;
  readonly #requests: Requests<E>;
  readonly #follower: Follower<E> | undefined;
  readonly #watchers = new Set<(endpoints: readonly E[]) => void>();
  #closed = false;

  /** @throws InvalidOptionError; for a list also InvalidEndpointError and DuplicateEndpointError */
  constructor(options: LoadBalancerOptions<E>) {
    checkNames(options);
    const { name = 'lb', endpoints, clock = systemClock, random = Math.random } = options;
    const { policy: factory = leastRequests(), health = false, retry = {}, hedge = false } = options;
    this.name = name;
    this.#clock = clock;
    const checking = health === false ? undefined : healthSettings(health);
    const serveUnchecked = checking?.serveUnchecked ?? true;
    const policy = makePolicy<E>(factory);
    this.#endpointSet = endpointSet(name, options, policy, serveUnchecked, clock, random);
    // Checks and probes go on in the background, requests in front
    const background = clock === systemClock ? backgroundClock : clock;
    this.#checks = checking && new HealthChecks(name, checking, this.#endpointSet, background, random);
    const { probing } = policy;
    this.#prober = probing && new Prober(name, probing, background, random);
    this.#endpointSet.onPick = this.#prober && (() => this.#prober?.picked());
    this.#drains = new Drains(name, this.#endpointSet);
    this.#follower = isDiscovery(endpoints)
      ? new Follower(
          name,
          endpoints,
          set => this.#replace(set),
          () => this.#requests.wake(),
        )
      : undefined;
    this.#requests = new Requests({
      balancer: name,
      endpoints: this.#endpointSet,
      timers: new Timers(clock),
      retrying: retry === false ? undefined : new Retrying(retry),
      hedging: hedge === false ? undefined : new Hedging(hedge),
      waiting: waitSettings(options),
      follower: this.#follower,
    });
    if (isDiscovery(endpoints)) this.#follower?.start();
    else this.#replace(checkedEndpoints(checkedList(endpoints)));
  }

  /** The endpoints there are now, in the order in which they were given, also those that take no requests. */
  get endpoints(): readonly E[] {
    return this.#endpointSet.endpoints;
  }

  /**
   * An endpoint for one request; `done` of what is returned must be called when the request is over. Synchronous.
   *
   * @throws NoEndpointError, ClosedError
   */
  pick(options: PickOptions = {}): Picked<E> {
    return this.#requests.pick(options);
  }

  /**
   * As `pick`, but waits for the first set of a discovery, and for an endpoint when all are at their limit: in the order
   * of the calls, at most `maxWaitMs` or `timeoutMs`. Rejects with NoEndpointError, DeadlineError, ClosedError or the
   * reason of the signal.
   */
  acquire(options: AcquireOptions = {}): Promise<Picked<E>> {
    return this.#requests.acquire(options);
  }

  /**
   * Makes an attempt on an endpoint and, if it fails, on another one when that is safe: the request is idempotent, or
   * the error proves that it was not executed (no connection was made, or its `outcome` is 'NotExecuted'). So an attempt
   * should ask its endpoint and nobody else. Retries are bounded by `retry.attempts` and a budget.
   *
   * Settles as the last attempt did: with its value, also when that counts as a failure, or with its own error. Else
   * rejects with DeadlineError, ClosedError, NoEndpointError or the reason of the caller's signal, also when the attempt
   * does not heed its signal. A request that the caller gives up says nothing of the endpoint.
   */
  run<T>(attempt: Attempt<E, T>, options: RunOptions<T> = {}): Promise<T> {
    return this.#requests.run(attempt, options);
  }

  /**
   * Gives the endpoint no new requests, and resolves when it has none in flight. It stays so, also when the wait was
   * given up and whatever discovery says of it, until `undrain`; one that leaves the set and comes back begins anew.
   * Rejects with InvalidOptionError for an id that is not there, else with DeadlineError, ClosedError,
   * DrainTakenBackError or the reason of the signal.
   */
  drain(id: string, options: DrainOptions = {}): Promise<void> {
    return this.#requests.within(options, 'the drain', () => this.#drains.drain(id));
  }

  /** Gives it requests again, through a slow start if there is one. @throws InvalidOptionError */
  undrain(id: string): void {
    this.#drains.undrain(id);
  }

  /**
   * Calls the listener with the endpoints, now and after each change, and returns a function that stops it. For what keeps
   * something for each endpoint. What a listener throws after the first call becomes an uncaught exception, and the other
   * listeners are called all the same.
   */
  watch(listener: (endpoints: readonly E[]) => void): () => void {
    listener(this.endpoints);
    this.#watchers.add(listener);
    return () => void this.#watchers.delete(listener);
  }

  snapshot(): BalancerSnapshot {
    const now = this.#clock.now();
    const { state = 'static', error } = this.#follower ?? {};
    return {
      name: this.name,
      closed: this.#closed,
      discovery: state,
      ...(error === undefined ? {} : { discoveryError: String(error) }),
      inFlight: this.#endpointSet.inFlight,
      panicking: this.#endpointSet.panicking,
      ...this.#requests.snapshot(),
      endpoints: Array.from(this.#endpointSet.members.values(), member => endpointSnapshot(member, now)),
    };
  }

  /**
   * Ends discovery and whatever runs or waits, with a ClosedError. For a quiet end, first let what runs finish. Never
   * rejects, and may be called again.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#follower?.close();
    this.#requests.close();
    this.#checks?.close();
    this.#prober?.close();
    this.#watchers.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #replace(endpoints: readonly E[]): void {
    this.#endpointSet.replace(endpoints);
    this.#checks?.follow();
    for (const listener of this.#watchers) {
      try {
        listener(endpoints);
      } catch (error) {
        // Not the fault of the set, which is in use: its owner must see it
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}

/** @throws InvalidOptionError */
function endpointSet<E extends Endpoint>(
  balancer: string,
  options: LoadBalancerOptions<E>,
  policy: Policy<E>,
  serveUnchecked: boolean,
  clock: Clock,
  random: Random,
): EndpointSet<E> {
  const { outlier = {}, concurrency = Infinity, panicPercent = 50, slowStartMs = 0 } = options;
  checkConcurrency(concurrency);
  numberOption('panicPercent', panicPercent, { min: 0, max: 100 });
  numberOption('slowStartMs', slowStartMs, { min: 0 });
  const members = new Members<E>();
  const ejection =
    outlier === false ? undefined : new OutlierEjection(balancer, outlierSettings(outlier), members);
  const slowStart = slowStartMs === 0 ? undefined : new SlowStart<E>(slowStartMs);
  return new EndpointSet({
    balancer,
    members,
    health: serveUnchecked ? 'healthy' : 'unchecked',
    policy,
    availability: new Availability({ balancer, members, policy, panicPercent, outlier: ejection, slowStart }),
    outlier: ejection,
    concurrency,
    now: () => clock.now(),
    random,
  });
}

/** @throws InvalidOptionError */
function checkedList<E extends Endpoint>(endpoints: Iterable<E>): Iterable<E> {
  if (typeof endpoints?.[Symbol.iterator] === 'function') return endpoints;
  const message = `\`endpoints\` must be a list of endpoints or an async iterable of lists, got ${describe(endpoints)}`;
  throw new InvalidOptionError('endpoints', message);
}
