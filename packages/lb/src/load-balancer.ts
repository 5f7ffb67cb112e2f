import { abortable, type Clock, describe, InvalidOptionError, numberOption, systemClock } from '@ashlar/core';
import type { Key } from '@ashlar/hash-ring';
import { Call } from './call.ts';
import type { Discovery } from './discovery.ts';
import type { Endpoint } from './endpoint.ts';
import { checkedEndpoints } from './endpoints.ts';
import { ClosedError, NoEndpointError } from './errors.ts';
import type { Flight } from './flight.ts';
import { Follower } from './follow.ts';
import type { Member } from './member.ts';
import { checkNames, isDiscovery, type LoadBalancerOptions } from './options.ts';
import { ConsecutiveFailures } from './outlier/consecutive-failures.ts';
import { OutlierEjection } from './outlier/ejection.ts';
import { type OutlierOptions, outlierSettings } from './outlier/options.ts';
import type { Picked } from './picked.ts';
import { leastRequests } from './policies/least-requests.ts';
import type { AcquireOptions, Attempt, PickOptions, RunOptions } from './request.ts';
import { retrySettings } from './retry.ts';
import { RetryBudget } from './retry-budget.ts';
import { Roster } from './roster.ts';
import { type Runner, run } from './run.ts';
import { type BalancerSnapshot, endpointSnapshot } from './snapshot.ts';

/**
 * Says which endpoint takes the next request, follows how requests go, and leaves out endpoints that fail.
 *
 * `pick` only chooses: the caller makes the request and says how it went. `run` makes the attempts too: with a
 * deadline, and on another endpoint when that is safe. It opens no connections and starts no timers of its own.
 */
export class LoadBalancer<E extends Endpoint> implements AsyncDisposable {
  readonly name: string;
  readonly #clock: Clock;
  readonly #maxWaitMs: number;
  readonly #roster: Roster<E>;
  readonly #follower: Follower<E> | undefined;
  readonly #runner: Runner<E>;
  readonly #budget: RetryBudget | undefined;
  readonly #calls = new Set<Call>();
  readonly #waiting = new Set<() => void>();
  readonly #watchers = new Set<(endpoints: readonly E[]) => void>();
  #closed = false;
  #retries = 0;
  #retriesRefused = 0;

  /** @throws InvalidOptionError; for a list also InvalidEndpointError and DuplicateEndpointError */
  constructor(options: LoadBalancerOptions<E>) {
    checkNames(options);
    const { name = 'lb', endpoints, policy = leastRequests(), outlier = {}, retry = {} } = options;
    const { clock = systemClock, random = Math.random, maxWaitMs = 5_000 } = options;
    this.name = name;
    this.#clock = clock;
    this.#maxWaitMs = numberOption('maxWaitMs', maxWaitMs, { min: 0 });
    const members = new Map<string, Member<E>>();
    const ejection = outlier === false ? undefined : this.#ejection(outlier, members);
    this.#roster = new Roster(name, members, policy<E>(), ejection, () => clock.now(), random);
    const settings = retry === false ? undefined : retrySettings(retry);
    this.#budget = settings && new RetryBudget(settings.budgetPercent, settings.budgetPerSecond);
    this.#runner = { name, retry: settings, another: (request, tried) => this.#another(request.key, tried) };
    this.#follower = this.#start(endpoints);
  }

  /** The endpoints there are now, in the order in which they were given, also those that take no requests. */
  get endpoints(): readonly E[] {
    return this.#roster.endpoints;
  }

  /**
   * An endpoint for one request; `done` of what is returned must be called when the request is over. Synchronous.
   *
   * @throws NoEndpointError, ClosedError
   */
  pick(options: PickOptions = {}): Picked<E> {
    this.#assertOpen();
    const { key, exclude } = options;
    const flight = this.#roster.choose(key, exclude === undefined ? nothing : excluded(exclude));
    if (flight === undefined) throw this.#noEndpoint();
    return flight;
  }

  /**
   * As `pick`, but waits for the first set of a discovery, at most `maxWaitMs` or `timeoutMs`. Rejects with
   * NoEndpointError, DeadlineError, ClosedError or the reason of the signal.
   */
  async acquire(options: AcquireOptions = {}): Promise<Picked<E>> {
    return this.#during(options, call => this.#acquire(call, options.key));
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
  async run<T>(attempt: Attempt<E, T>, options: RunOptions<T> = {}): Promise<T> {
    return this.#during(options, async call => {
      this.#budget?.request(this.#clock.now());
      const first = await this.#acquire(call, options.key);
      return run(this.#runner, call, first, attempt, options);
    });
  }

  /** Tells the endpoints now and after each change, for what keeps something for each of them; returns how to stop. */
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
      inFlight: this.#roster.inFlight,
      retries: this.#retries,
      retriesRefused: this.#retriesRefused,
      endpoints: Array.from(this.#roster.members(), member => endpointSnapshot(member, now)),
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
    for (const call of this.#calls) call.stop(new ClosedError(this.name, call.outcome));
    this.#watchers.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #start(endpoints: Iterable<E> | Discovery<E>): Follower<E> | undefined {
    if (isDiscovery(endpoints)) {
      return new Follower(
        this.name,
        endpoints,
        set => this.#replace(set),
        () => this.#wake(),
      );
    }
    if (typeof endpoints?.[Symbol.iterator] !== 'function') {
      const message = `\`endpoints\` must be a list of endpoints or an async iterable of lists, got ${describe(endpoints)}`;
      throw new InvalidOptionError('endpoints', message);
    }
    this.#replace(checkedEndpoints(endpoints));
    return undefined;
  }

  #replace(endpoints: readonly E[]): void {
    this.#roster.replace(endpoints);
    for (const listener of this.#watchers) listener(endpoints);
  }

  async #during<T>(options: AcquireOptions, work: (call: Call) => Promise<T>): Promise<T> {
    this.#assertOpen();
    const call = new Call(this.#clock, options);
    this.#calls.add(call);
    try {
      return await work(call);
    } finally {
      this.#calls.delete(call);
      call.end();
    }
  }

  async #acquire(call: Call, key: Key | undefined): Promise<Flight<E>> {
    if (this.#follower?.state === 'waiting') await this.#firstSet(call.cancellation.signal);
    const flight = this.#roster.choose(key, nothing);
    if (flight === undefined) throw this.#noEndpoint();
    return flight;
  }

  /** Returns when there is a set, or cannot be one, or it took too long. */
  async #firstSet(signal: AbortSignal): Promise<void> {
    const timer = new AbortController();
    let wake = () => {};
    const woken = new Promise<void>(resolve => {
      wake = resolve;
    });
    this.#waiting.add(wake);
    this.#clock.sleep(this.#maxWaitMs, timer.signal).then(wake, () => {});
    try {
      await abortable(woken, signal);
    } finally {
      this.#waiting.delete(wake);
      timer.abort('woken');
    }
  }

  #wake(): void {
    if (this.#follower?.state === 'waiting') return;
    for (const wake of this.#waiting) wake();
  }

  #another(key: Key | undefined, tried: readonly string[]): Flight<E> | undefined {
    const now = this.#clock.now();
    if (this.#budget?.allows(now) !== true) {
      this.#retriesRefused++;
      return undefined;
    }
    const flight = this.#roster.choose(key, tried);
    if (flight === undefined) return undefined;
    this.#budget.spend(now);
    this.#retries++;
    return flight;
  }

  #ejection(options: OutlierOptions, members: ReadonlyMap<string, Member<E>>): OutlierEjection<E> {
    const settings = outlierSettings(options);
    const detectors = [new ConsecutiveFailures(settings.consecutiveFailures)];
    return new OutlierEjection(this.name, settings, detectors, members);
  }

  #assertOpen(): void {
    if (this.#closed) throw new ClosedError(this.name, 'NotExecuted');
  }

  #noEndpoint(): NoEndpointError {
    if (!this.#roster.isEmpty) return new NoEndpointError(this.name, 'excluded');
    if (this.#follower === undefined || this.endpoints.length > 0)
      return new NoEndpointError(this.name, 'empty');
    const { error } = this.#follower;
    return new NoEndpointError(this.name, 'undiscovered', error === undefined ? {} : { cause: error });
  }
}

const nothing: readonly string[] = [];

function excluded(ids: Iterable<string>): readonly string[] {
  if (typeof ids === 'string') {
    throw new InvalidOptionError(
      'exclude',
      `\`exclude\` must be a list of ids, got the string ${describe(ids)}`,
    );
  }
  return Array.isArray(ids) ? ids : [...ids];
}
