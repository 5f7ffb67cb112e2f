import type { Key } from '@ashlar/hash-ring';
import { channels } from '../diagnostics.ts';
import type { Endpoint } from '../endpoint.ts';
import { type Concurrency, type Limiter, limitOf } from '../limits/limiter.ts';
import type { Observed, OutlierEjection } from '../outlier/ejection.ts';
import { isExcused, type Outcome, outcomeOf, type Policy, type Settlement } from '../policy.ts';
import type { Picked } from '../request.ts';
import { checkSettlement } from '../request-checks.ts';
import type { Availability } from './availability.ts';
import { Choice, type ChoiceParts } from './choice.ts';
import { type Health, Member, type Members } from './member.ts';

export interface EndpointSetParts<E extends Endpoint> extends ChoiceParts<E> {
  /** Of endpoints that join. */
  readonly health: Health;
  readonly availability: Availability<E>;
  readonly outlier: OutlierEjection<E> | undefined;
  readonly concurrency: Concurrency<E>;
  readonly now: () => number;
}

/** The endpoints of a balancer and the requests in flight to them: the synchronous part of a balancer. */
export class EndpointSet<E extends Endpoint> {
  /** Called when capacity may have grown, with the number of further requests there may be capacity for. */
  onCapacity: ((capacity: number) => void) | undefined;
  /** Called after each pick. */
  onPick: (() => void) | undefined;
  readonly members: Members<E>;
  readonly now: () => number;
  readonly #balancer: string;
  readonly #policy: Policy<E>;
  readonly #availability: Availability<E>;
  readonly #outlier: OutlierEjection<E> | undefined;
  readonly #health: Health;
  readonly #concurrency: Concurrency<E>;
  readonly #choice: Choice<E>;
  #inFlight = 0;

  constructor(parts: EndpointSetParts<E>) {
    this.#balancer = parts.balancer;
    this.members = parts.members;
    this.#policy = parts.policy;
    this.#availability = parts.availability;
    this.#outlier = parts.outlier;
    this.#health = parts.health;
    this.#concurrency = parts.concurrency;
    this.now = parts.now;
    this.#choice = new Choice(parts);
  }

  /** Requests in flight, also to endpoints that have left. */
  get inFlight(): number {
    return this.#inFlight;
  }

  get panicking(): boolean {
    return this.#availability.panicking;
  }

  /** When `refresh` has something to do. */
  get dueAt(): number {
    return this.#availability.dueAt;
  }

  get endpoints(): E[] {
    return Array.from(this.members.values(), ({ endpoint }) => endpoint);
  }

  /**
   * Assigns a request to an endpoint; `undefined` when none can take it. @throws PolicyError, and what the policy throws
   *
   * @param prefer the id of the endpoint that takes it if it can
   */
  pick(
    key: Key | undefined,
    exclude: readonly string[],
    prefer?: string,
    lastResort = true,
  ): InFlightRequest<E> | undefined {
    if (!this.#availability.isReady) return undefined;
    const now = this.now();
    if (now >= this.#availability.dueAt) this.refresh(now);
    const member = this.#choice.choose(key, exclude, prefer, now);
    if (member === undefined) {
      const found = lastResort ? this.#choice.lastResort(exclude) : undefined;
      return found && this.#assign(found, now, 'last resort');
    }
    this.#choice.inFlight++;
    const isProbe = member.state === 'probing' && member.probe === undefined;
    return this.#assign(member, now, isProbe ? 'probe' : undefined);
  }

  #assign(member: Member<E>, now: number, trial: Observed['trial']): InFlightRequest<E> {
    const picked = new InFlightRequest(this, member, now, trial);
    if (trial === 'probe') {
      member.probe = picked;
      this.#outlier?.probing(now);
      this.#availability.schedule();
    }
    member.inFlight++;
    member.picked++;
    this.#inFlight++;
    if (channels.pick.hasSubscribers) {
      channels.pick.publish({ balancer: this.#balancer, endpoint: member.endpoint.id });
    }
    this.onPick?.();
    return picked;
  }

  /** Records how a request ended. Called once for each, by `done` alone. */
  settle(request: InFlightRequest<E>, settlement: Settlement | undefined): void {
    const { member } = request;
    try {
      this.#record(request, settlement);
    } finally {
      if (this.onCapacity !== undefined && member.eligible && !member.isBusy) {
        this.onCapacity((member.limit ?? Infinity) - member.inFlight);
      }
    }
  }

  /** As `settle`, for a request that was canceled because another attempt was quicker. */
  settleOutrun(request: InFlightRequest<E>): void {
    const { member, startedAt } = request;
    const now = this.now();
    try {
      if (member.state !== 'gone') this.#policy.outrun?.(member, now - startedAt, now);
    } finally {
      this.settle(request, undefined);
    }
  }

  /** The endpoint has begun a good answer; the request stays in flight until it is settled. */
  answered(request: InFlightRequest<E>): void {
    if (request.trial === undefined) return;
    const now = this.now();
    if (this.#outlier?.answered(request.member, request, now)) this.#changed(now);
  }

  /** Ends the ejections, and takes the steps of slow starts, that are due. */
  refresh(now: number = this.now()): void {
    if (now >= this.#availability.dueAt && this.#availability.upkeep(now)) this.#changed(now);
  }

  setHealth(member: Member<E>, health: Health): void {
    member.health = health;
    if (health === 'healthy') {
      member.startedAt = this.now();
      this.#outlier?.startAnew(member);
    }
    this.reevaluate();
  }

  /** Ends an ejection early: the next request to the endpoint is its probe. */
  endEjection(member: Member<E>): void {
    if (this.#outlier?.endEarly(member)) this.#changed(this.now());
  }

  /** Decides again which endpoints take requests, after a drain or the health of one has changed. */
  reevaluate(): void {
    const now = this.now();
    this.#outlier?.enforceLimit(now);
    this.#changed(now);
  }

  /** Replaces the endpoints. If the policy refuses them, nothing changes and its error is thrown. */
  replace(endpoints: readonly E[]): void {
    const changes = this.members.changesTo(endpoints);
    if (changes === undefined) return;
    const now = this.now();
    const before = new Map(this.members);
    const descriptions = Array.from(before.values(), member => [member, member.endpoint] as const);
    const isFirst = !this.#availability.isReady;
    this.members.clear();
    try {
      for (const endpoint of endpoints) {
        const member = before.get(endpoint.id) ?? new Member(endpoint, this.#health);
        if (!isFirst && (!before.has(endpoint.id) || member.fullWeight === 0)) member.startedAt = now;
        this.#put(member, endpoint);
      }
      this.#outlier?.enforceLimit(now);
      if (isFirst) this.#availability.rehearse();
      this.#updatePolicy(now);
    } catch (error) {
      this.members.clear();
      for (const [member, endpoint] of descriptions) this.#put(member, endpoint);
      if (this.#availability.isReady) this.#updatePolicy(now);
      throw error;
    }
    for (const id of changes.left) this.#remove(before.get(id)!);
    if (channels.endpoints.hasSubscribers) {
      channels.endpoints.publish({ balancer: this.#balancer, ...changes });
    }
    this.onCapacity?.(Infinity);
  }

  #put(member: Member<E>, endpoint: E): void {
    member.update(endpoint, limitOf(this.#concurrency, endpoint));
    this.members.set(endpoint.id, member);
  }

  #remove(member: Member<E>): void {
    member.state = 'gone';
    member.eligible = false;
    this.#outlier?.forget(member);
  }

  #record(request: InFlightRequest<E>, settlement: Settlement | undefined): void {
    const { member, startedAt } = request;
    this.#inFlight--;
    member.inFlight--;
    if (member.eligible) this.#choice.inFlight--;
    if (member.probe === request) member.probe = undefined;
    if (member.inFlight === 0) member.drain?.finish();
    const now = this.now();
    const outcome = settlement && outcomeOf(settlement, now - startedAt);
    if (channels.outcome.hasSubscribers) {
      channels.outcome.publish({ balancer: this.#balancer, endpoint: request.endpoint.id, outcome });
    }
    if (outcome === undefined) {
      member.canceled++;
      return;
    }
    if (outcome.ok) member.succeeded++;
    else member.failed++;
    if (isExcused(outcome)) member.excused++;
    if (member.state === 'gone') return;
    if (member.limiter !== undefined) this.#adaptLimit(member, member.limiter, outcome, now);
    this.#policy.settled?.(member, outcome, now);
    if (this.#outlier?.observe(member, request, outcome, now)) this.#changed(now);
    else if (now >= this.#availability.dueAt) this.refresh(now);
  }

  #adaptLimit(member: Member<E>, limiter: Limiter, outcome: Outcome, now: number): void {
    const from = member.limit!;
    const to = member.adaptLimit(limiter, outcome, now);
    if (to === from || !channels.limit.hasSubscribers) return;
    channels.limit.publish({ balancer: this.#balancer, endpoint: member.endpoint.id, from, to });
  }

  #changed(now: number): void {
    this.#updatePolicy(now);
    this.onCapacity?.(Infinity);
  }

  #updatePolicy(now: number): void {
    this.#availability.update(now);
    this.#choice.recount();
  }
}

/** A request in flight to an endpoint. */
export class InFlightRequest<E extends Endpoint> implements Picked<E>, Observed {
  readonly endpoint: E;
  readonly member: Member<E>;
  readonly startedAt: number;
  /** How many requests the endpoint had got before. */
  readonly sequence: number;
  readonly trial: Observed['trial'];
  /** Until it has ended. */
  #endpoints: EndpointSet<E> | undefined;

  constructor(endpoints: EndpointSet<E>, member: Member<E>, startedAt: number, trial: Observed['trial']) {
    this.endpoint = member.endpoint;
    this.member = member;
    this.startedAt = startedAt;
    this.sequence = member.picked;
    this.trial = trial;
    this.#endpoints = endpoints;
  }

  done(settlement?: Settlement): void {
    if (this.#endpoints === undefined) return;
    if (settlement !== undefined) checkSettlement(settlement);
    this.settle(settlement);
  }

  /** As `done`, without checking the settlement. */
  settle(settlement?: Settlement): void {
    const endpoints = this.#endpoints;
    this.#endpoints = undefined;
    endpoints?.settle(this, settlement);
  }

  /** The endpoint has begun a good answer. */
  answered(): void {
    this.#endpoints?.answered(this);
  }

  /** Ends it as canceled because another attempt was quicker. */
  outrun(): void {
    const endpoints = this.#endpoints;
    this.#endpoints = undefined;
    endpoints?.settleOutrun(this);
  }

  [Symbol.dispose](): void {
    this.done();
  }
}
