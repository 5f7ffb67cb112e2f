import { backgroundClock, type Clock, describe, InvalidOptionError, systemClock } from '@ashlar/core';
import { assembleRoster } from './assemble.ts';
import { Follower } from './discovery/follower.ts';
import type { Discovery, Endpoint } from './endpoint.ts';
import { checkedEndpoints } from './endpoint.ts';
import { Drains } from './endpoints/drain.ts';
import type { Roster } from './endpoints/endpoint-set.ts';
import { HealthChecks } from './health/health-checks.ts';
import { healthSettings } from './health/options.ts';
import { checkNames, isDiscovery, type LoadBalancerOptions, requestSettings } from './options.ts';
import { Prober } from './probes/prober.ts';
import type { AcquireOptions, Attempt, DrainOptions, Picked, PickOptions, RunOptions } from './request.ts';
import { Requests } from './requests/requests.ts';
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
  readonly #roster: Roster<E>;
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
    const { name = 'lb', endpoints } = options;
    const { clock = systemClock, random = Math.random } = options;
    this.name = name;
    this.#clock = clock;
    const health =
      options.health === undefined || options.health === false ? undefined : healthSettings(options.health);
    this.#roster = assembleRoster(name, options, health, clock, random);
    // Checks and probes go on in the background, requests in front
    const behind = clock === systemClock ? backgroundClock : clock;
    this.#checks = health && new HealthChecks(name, health, this.#roster, behind, random);
    const { probing } = this.#roster;
    this.#prober = probing && new Prober(name, probing, behind, random);
    this.#roster.onPick = this.#prober && (() => this.#prober?.picked());
    this.#drains = new Drains(name, this.#roster);
    const discovery = () => this.#follower;
    this.#requests = new Requests({
      ...requestSettings(options),
      name,
      roster: this.#roster,
      timers: new Timers(clock),
      discovery,
    });
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
    return this.#requests.during(options, 'the drain', () => this.#drains.drain(id));
  }

  /** Gives it requests again, through a slow start if there is one. @throws InvalidOptionError */
  undrain(id: string): void {
    this.#drains.undrain(id);
  }

  /**
   * Tells the endpoints now and after each change, for what keeps something for each of them; returns how to stop. What a
   * listener throws later is thrown to nobody, as an uncaught exception; the others are told all the same.
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
      inFlight: this.#roster.inFlight,
      panicking: this.#roster.panicking,
      ...this.#requests.snapshot(),
      endpoints: Array.from(this.#roster.members.values(), member => endpointSnapshot(member, now)),
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

  #start(endpoints: Iterable<E> | Discovery<E>): Follower<E> | undefined {
    if (isDiscovery(endpoints)) {
      return new Follower(
        this.name,
        endpoints,
        set => this.#replace(set),
        () => this.#requests.wake(),
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
