import {
  backgroundClock,
  type Checked,
  type Clock,
  clock,
  defaultTo,
  durationMs,
  functionOf,
  integer,
  orFalse,
  type Rule,
  random,
  readOptions,
  refuseMore,
  required,
  systemClock,
  text,
} from '@ashlar/core';
import { Follower } from './discovery/follower.ts';
import { checkedEndpoints, type Endpoint, endpointSource, isDiscovery } from './endpoint.ts';
import { Availability } from './endpoints/availability.ts';
import { Drains } from './endpoints/drain.ts';
import { EndpointSet } from './endpoints/endpoint-set.ts';
import { Members } from './endpoints/member.ts';
import { SlowStart } from './endpoints/slow-start.ts';
import { HealthChecks } from './health/health-checks.ts';
import { healthRule } from './health/options.ts';
import { concurrencyRule } from './limits/limiter.ts';
import type { LoadBalancerOptions, WatchOptions } from './options.ts';
import { OutlierEjection } from './outlier/ejection.ts';
import { outlierRule } from './outlier/options.ts';
import { leastRequests } from './policies/least-requests.ts';
import { makePolicy, type Policy, policyRule } from './policy.ts';
import { Prober } from './probes/prober.ts';
import type { AcquireOptions, Attempt, DrainOptions, Picked, PickOptions, RunOptions } from './request.ts';
import { Hedging } from './requests/hedge.ts';
import { Requests } from './requests/requests.ts';
import { Retrying } from './requests/retry.ts';
import { type BalancerSnapshot, endpointSnapshot } from './snapshot.ts';
import { percent } from './util/percent.ts';
import { textOf } from './util/text-of.ts';
import { Timers } from './util/timers.ts';

/**
 * Chooses the endpoint of each request, records how requests go, and ejects endpoints that fail.
 *
 * `pick` only chooses: the caller makes the request and reports how it went. `run` makes the attempts too, with a deadline,
 * and retries on another endpoint when that is safe. The balancer opens no connections of its own. Its only timers are for
 * requests that wait, deadlines, checks and probes.
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
  readonly #watchers = new Set<Watcher<E>>();
  #closed = false;

  /** @throws InvalidOptionError; for a list also InvalidEndpointError and DuplicateEndpointError */
  constructor(options: LoadBalancerOptions<E>) {
    const settings = readOptions('LoadBalancer', options, rules);
    const { name, clock, random, health, retry, hedge, maxWaitMs, maxWaiting } = settings;
    const { endpoints } = options;
    this.name = name;
    this.#clock = clock;
    const policy = makePolicy<E>(settings.policy);
    this.#endpointSet = endpointSet(settings, policy);
    // Checks and probes go on in the background, requests in front
    const background = clock === systemClock ? backgroundClock : clock;
    this.#checks = health && new HealthChecks(name, health, this.#endpointSet, background, random);
    const { probing } = policy;
    this.#prober = probing && new Prober(name, probing, background, random);
    this.#endpointSet.onPick = this.#prober && (() => this.#prober?.picked());
    this.#drains = new Drains(name, this.#endpointSet);
    this.#follower = isDiscovery(endpoints)
      ? new Follower(
          name,
          endpoints,
          set => this.#replace(set),
          () => this.#onDiscovery(),
        )
      : undefined;
    this.#requests = new Requests({
      balancer: name,
      endpoints: this.#endpointSet,
      timers: new Timers(clock),
      retrying: retry,
      hedging: hedge,
      waiting: { maxWaitMs, maxWaiting },
      follower: this.#follower,
    });
    if (isDiscovery(endpoints)) this.#follower?.start();
    else this.#replace(checkedEndpoints(endpoints));
  }

  /** The current endpoints in the order of the latest set that changed any, including those that take no requests. */
  get endpoints(): readonly E[] {
    return this.#endpointSet.endpoints;
  }

  /**
   * Chooses an endpoint for one request. Call `done` of the result when the request has ended. Synchronous.
   *
   * @throws NoEndpointError, ClosedError, InvalidOptionError
   */
  pick(options?: PickOptions): Picked<E> {
    return this.#requests.pick(options);
  }

  /**
   * As `pick`, but waits for the first set of a discovery, and for an endpoint when all are at their limit: first come,
   * first served, for at most `maxWaitMs` or `timeoutMs`. Rejects with NoEndpointError, DeadlineError, ClosedError,
   * InvalidOptionError or the signal's reason.
   */
  acquire(options: AcquireOptions = {}): Promise<Picked<E>> {
    return this.#requests.acquire(options);
  }

  /**
   * Makes an attempt on an endpoint. If it fails, retries on another one when that is safe: the request is idempotent, or
   * the error proves that it was not executed (no connection was made, or its `outcome` is 'NotExecuted'). An attempt
   * should therefore call its endpoint and nothing else. `retry.attempts` and a retry budget bound the retries.
   *
   * Settles as the last attempt did: with its value, even when that counts as a failure, or with its own error. Otherwise
   * rejects with DeadlineError, ClosedError, NoEndpointError, InvalidOptionError or the reason of the caller's signal,
   * even when the attempt ignores its own signal. A request that the caller aborts does not count against the endpoint.
   */
  run<T>(attempt: Attempt<E, T>, options: RunOptions<T> = {}): Promise<T> {
    return this.#requests.run(attempt, options);
  }

  /**
   * Gives the endpoint no new requests, and resolves when it has none in flight. The endpoint stays drained until
   * `undrain`, even when the wait ends early and whatever discovery says of it; one that leaves the set and comes back
   * begins anew. Rejects with InvalidOptionError for an unknown id, and with DeadlineError, ClosedError,
   * DrainTakenBackError or the signal's reason.
   */
  drain(id: string, options: DrainOptions = {}): Promise<void> {
    return this.#requests.within(options, 'the drain', () => this.#drains.drain(id));
  }

  /** Gives a drained endpoint requests again, through a slow start if there is one. @throws InvalidOptionError */
  undrain(id: string): void {
    this.#drains.undrain(id);
  }

  /**
   * Calls the listener with the endpoints, now and after each change; also, with none, when discovery is over without a
   * set. Returns a function that stops it. For code that keeps
   * something for each endpoint, such as a connection pool. An error that a listener throws after the first call becomes an
   * uncaught exception; the other listeners are still called.
   *
   * @throws InvalidOptionError, and what the first call and `check` throw
   */
  watch(listener: (endpoints: readonly E[]) => void, options: WatchOptions<E> = {}, ...more: []): () => void {
    refuseMore('lb.watch', more, 2);
    listenerRule(listener, 'listener');
    const { check } = readOptions('lb.watch', options, watchRules) as WatchOptions<E>;
    check?.(this.endpoints);
    listener(this.endpoints);
    const watcher: Watcher<E> = { listener, ...(check && { check }) };
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  snapshot(): BalancerSnapshot {
    const now = this.#clock.now();
    const { state = 'static', error } = this.#follower ?? {};
    return {
      name: this.name,
      closed: this.#closed,
      discovery: state,
      ...(error === undefined ? {} : { discoveryError: textOf(error) }),
      inFlight: this.#endpointSet.inFlight,
      panicking: this.#endpointSet.panicking,
      ...this.#requests.snapshot(),
      endpoints: Array.from(this.#endpointSet.members.values(), member => endpointSnapshot(member, now)),
    };
  }

  /**
   * Ends discovery, and all requests that run or wait, with a ClosedError. For a graceful shutdown, let running requests
   * finish first. Never rejects, and may be called again.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#follower?.close();
    this.#requests.close();
    this.#checks?.close();
    this.#prober?.close();
    if (this.endpoints.length === 0) this.#tell(this.endpoints);
    this.#watchers.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @throws what refuses the set; then nothing has changed */
  #replace(endpoints: readonly E[]): void {
    for (const { check } of this.#watchers) check?.(endpoints);
    this.#endpointSet.replace(endpoints);
    this.#checks?.follow();
    this.#tell(endpoints);
  }

  #onDiscovery(): void {
    this.#requests.wake();
    const over = this.#follower?.state === 'ended' || this.#follower?.state === 'failed';
    if (over && this.endpoints.length === 0) this.#tell(this.endpoints);
  }

  #tell(endpoints: readonly E[]): void {
    for (const { listener } of this.#watchers) {
      try {
        listener(endpoints);
      } catch (error) {
        // The set is fine and in use; the error belongs to the owner of the listener
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}

interface Watcher<E extends Endpoint> extends WatchOptions<E> {
  listener(endpoints: readonly E[]): void;
}

/** Off unless it is given. */
function ifGiven<T>(rule: Rule<T>): Rule<T | undefined> {
  const orOff = orFalse(rule);
  return (value, option) => (value === undefined ? undefined : orOff(value, option));
}

const rules = /* @__PURE__ */ (() =>
  ({
    name: text('lb'),
    endpoints: required(endpointSource, 'a list of endpoints or a discovery'),
    policy: defaultTo(/* @__PURE__ */ leastRequests(), policyRule),
    outlier: orFalse(outlierRule),
    health: ifGiven(healthRule),
    panicPercent: percent(50, { min: 0, max: 100 }),
    slowStartMs: durationMs(0),
    retry: orFalse((value, option) => new Retrying(value, option)),
    hedge: ifGiven((value, option) => new Hedging(value, option)),
    concurrency: concurrencyRule,
    maxWaitMs: durationMs(5_000),
    maxWaiting: integer(1_000, { min: 0 }),
    clock: clock(),
    random: random(),
  }) satisfies Record<keyof LoadBalancerOptions<Endpoint>, Rule<unknown>>)();

const listenerRule = /* @__PURE__ */ required(functionOf(), 'a function of the endpoints');

const watchRules = /* @__PURE__ */ (() =>
  ({ check: functionOf() }) satisfies Record<keyof WatchOptions<Endpoint>, Rule<unknown>>)();

function endpointSet<E extends Endpoint>(settings: Checked<typeof rules>, policy: Policy<E>): EndpointSet<E> {
  const { name: balancer, outlier, health, panicPercent, slowStartMs, clock, random } = settings;
  const members = new Members<E>();
  const ejection = outlier && new OutlierEjection(balancer, outlier, members);
  const slowStart = slowStartMs === 0 ? undefined : new SlowStart<E>(slowStartMs);
  return new EndpointSet({
    balancer,
    members,
    health: (health?.serveUnchecked ?? true) ? 'healthy' : 'unchecked',
    policy,
    availability: new Availability({ balancer, members, policy, panicPercent, outlier: ejection, slowStart }),
    outlier: ejection,
    concurrency: settings.concurrency,
    now: () => clock.now(),
    random,
  });
}
