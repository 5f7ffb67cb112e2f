import type { Random } from '@ashlar/core';
import type { Key } from '@ashlar/hash-ring';
import { channels } from '../diagnostics.ts';
import type { Endpoint } from '../endpoint.ts';
import { PolicyError } from '../errors.ts';
import { type Concurrency, type Limiter, limitOf } from '../limits/limiter.ts';
import type { OutlierEjection } from '../outlier/ejection.ts';
import type { PickRequest, Policy, Probing } from '../policy.ts';
import { type Outcome, outcomeOf, type Settlement } from '../policy.ts';
import type { Availability } from './availability.ts';
import { changesOf } from './changes.ts';
import { Flight, type Tower } from './flight.ts';
import { type Health, Member } from './member.ts';
import type { Members } from './members.ts';
import type { SlowStart } from './slow-start.ts';

export interface RosterParts<E extends Endpoint> {
  readonly balancer: string;
  readonly members: Members<E>;
  /** Of endpoints that join. */
  readonly health: Health;
  readonly policy: Policy<E>;
  readonly availability: Availability<E>;
  readonly outlier: OutlierEjection<E> | undefined;
  readonly slowStart: SlowStart<E> | undefined;
  readonly concurrency: Concurrency<E>;
  readonly now: () => number;
  readonly random: Random;
}

/** The endpoints there are, who of them takes requests, and what is in flight: all of a balancer that never waits. */
export class Roster<E extends Endpoint> implements Tower<E> {
  /** Told how many more requests there may be room for, as far as is known, after what may have made some. */
  onRoom: (room: number) => void = () => {};
  /** Told of each pick, where a policy goes by probes. */
  onPick: (() => void) | undefined;
  readonly members: Members<E>;
  readonly now: () => number;
  readonly #balancer: string;
  readonly #policy: Policy<E>;
  readonly #availability: Availability<E>;
  readonly #outlier: OutlierEjection<E> | undefined;
  readonly #slowStart: SlowStart<E> | undefined;
  readonly #health: Health;
  readonly #concurrency: Concurrency<E>;
  readonly #request: { -readonly [K in keyof PickRequest<E>]: PickRequest<E>[K] };
  #exclude: readonly string[] = [];
  #inFlight = 0;
  /** Until the first set the policy is neither told nor asked. */
  #told = false;
  /** When something changes by itself. */
  #dueAt = Infinity;
  /** The policy has not taken the latest change. */
  #stale = false;

  constructor(parts: RosterParts<E>) {
    this.#balancer = parts.balancer;
    this.members = parts.members;
    this.#policy = parts.policy;
    this.#availability = parts.availability;
    this.#outlier = parts.outlier;
    this.#slowStart = parts.slowStart;
    this.#health = parts.health;
    this.#concurrency = parts.concurrency;
    this.now = parts.now;
    const skip = (candidate: { readonly endpoint: E }) =>
      (candidate as Member<E>).isBusy ||
      (this.#exclude.length > 0 && this.#exclude.includes(candidate.endpoint.id));
    this.#request = { key: undefined, now: 0, random: parts.random, inFlight: 0, skip };
  }

  get probing(): Probing<E> | undefined {
    return this.#policy.probing;
  }

  /** Requests in flight, also to endpoints that have left. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Whether so few are usable that all take requests. */
  get panicking(): boolean {
    return this.#availability.panicking;
  }

  /** When `refresh` has something to do. */
  get dueAt(): number {
    return this.#dueAt;
  }

  get endpoints(): E[] {
    return Array.from(this.members.values(), member => member.endpoint);
  }

  choose(key: Key | undefined, exclude: readonly string[]): Flight<E> | undefined {
    if (!this.#told) return undefined;
    const now = this.now();
    if (now >= this.#dueAt) this.refresh(now);
    const request = this.#request;
    request.key = key;
    request.now = now;
    this.#exclude = exclude;
    const member = this.#policy.pick(request) as Member<E> | undefined;
    if (member === undefined) return undefined;
    if (member.eligible !== true)
      throw new PolicyError(`the policy of ${this.#balancer} picked no candidate of its own`);
    const flight = new Flight(this, member, now);
    if (member.standing === 'probing') member.probe ??= flight;
    member.inFlight++;
    member.picked++;
    request.inFlight!++;
    this.#inFlight++;
    if (channels.pick.hasSubscribers) {
      channels.pick.publish({ balancer: this.#balancer, endpoint: member.endpoint.id });
    }
    this.onPick?.();
    return flight;
  }

  /** Does what is due. */
  refresh(now: number = this.now()): void {
    if (now < this.#dueAt) return;
    const changed = this.#outlier?.upkeep(now) ?? false;
    if (changed || this.#stale || now >= (this.#slowStart?.dueAt ?? Infinity)) this.#changed(now);
    else this.#schedule();
  }

  setHealth(member: Member<E>, health: Health): void {
    member.health = health;
    if (health === 'healthy') {
      member.startedAt = this.now();
      this.#outlier?.startAnew(member);
    }
    this.review();
  }

  /** The next request to it is its probe. */
  endEjection(member: Member<E>): void {
    if (this.#outlier?.endEarly(member)) this.#changed(this.now());
  }

  /** Takes note that an endpoint is drained, has another health, or no longer. */
  review(): void {
    const now = this.now();
    this.#outlier?.enforceLimit(now);
    this.#changed(now);
  }

  #changed(now: number): void {
    this.#tellPolicy(now);
    this.onRoom(Infinity);
  }

  landed(flight: Flight<E>, settlement: Settlement | undefined): void {
    const { member } = flight;
    try {
      this.#land(flight, settlement);
    } finally {
      if (member.eligible && !member.isBusy) this.onRoom((member.limit ?? Infinity) - member.inFlight);
    }
  }

  outrun(flight: Flight<E>): void {
    const { member, startedAt } = flight;
    const now = this.now();
    try {
      if (member.standing !== 'gone') this.#policy.outrun?.(member, now - startedAt, now);
    } finally {
      this.landed(flight, undefined);
    }
  }

  #land(flight: Flight<E>, settlement: Settlement | undefined): void {
    const { member } = flight;
    this.#inFlight--;
    member.inFlight--;
    if (member.eligible) this.#request.inFlight!--;
    const isProbe = member.probe === flight;
    if (isProbe) member.probe = undefined;
    if (member.inFlight === 0) member.drain?.finish();
    const now = this.now();
    const outcome = settlement && outcomeOf(settlement, now - flight.startedAt);
    if (channels.outcome.hasSubscribers) {
      channels.outcome.publish({ balancer: this.#balancer, endpoint: flight.endpoint.id, outcome });
    }
    if (outcome === undefined) {
      member.canceled++;
      return;
    }
    if (outcome.ok) member.succeeded++;
    else member.failed++;
    if (member.standing === 'gone') return;
    if (member.limiter !== undefined) this.#adapt(member, member.limiter, outcome, now);
    this.#policy.settled?.(member, outcome, now);
    if (this.#outlier?.observe(flight, isProbe, outcome, now)) this.#changed(now);
    else if (now >= this.#dueAt) this.refresh(now);
  }

  #adapt(member: Member<E>, limiter: Limiter, { ok, latencyMs }: Outcome, now: number): void {
    const from = member.limit!;
    limiter.settled({ now, latencyMs, inFlight: member.inFlight + 1, dropped: !ok });
    const { limit } = limiter;
    // Also what is no number at all: with less than one the endpoint would never be heard of again
    const to = limit >= 1 ? limit : 1;
    member.limit = to;
    if (to === from || !channels.limit.hasSubscribers) return;
    channels.limit.publish({
      balancer: this.#balancer,
      endpoint: member.endpoint.id,
      from,
      to,
    });
  }

  /** Makes these the endpoints. When the policy refuses them, all stays as it was and its error is thrown. */
  replace(endpoints: readonly E[]): void {
    const now = this.now();
    const before = new Map(this.members);
    const said = Array.from(before.values(), member => [member, member.endpoint] as const);
    const changes = changesOf(before, endpoints);
    if (changes === undefined) return;
    this.members.clear();
    try {
      for (const endpoint of endpoints) {
        const member = before.get(endpoint.id) ?? new Member(endpoint, this.#health);
        if (this.#told && (!before.has(endpoint.id) || member.fullWeight === 0)) member.startedAt = now;
        member.takeOver(endpoint, limitOf(this.#concurrency, endpoint));
        this.members.set(endpoint.id, member);
      }
      this.#outlier?.enforceLimit(now);
      if (!this.#told) this.#rehearse();
      this.#tellPolicy(now);
    } catch (error) {
      this.members.clear();
      for (const [member, endpoint] of said) {
        member.takeOver(endpoint, limitOf(this.#concurrency, endpoint));
        this.members.set(endpoint.id, member);
      }
      if (this.#told) this.#tellPolicy(now);
      throw error;
    }
    for (const id of changes.left) this.#dismiss(before.get(id)!);
    if (channels.endpoints.hasSubscribers) {
      channels.endpoints.publish({ balancer: this.#balancer, ...changes });
    }
    this.onRoom(Infinity);
  }

  #dismiss(member: Member<E>): void {
    member.standing = 'gone';
    member.eligible = false;
    this.#outlier?.forget(member);
  }

  /** What is told to the policy for a trial is told again for good. */
  #rehearse(): void {
    const eligible = this.#availability.eligible(this.members.values());
    const all = this.#availability.wanted(this.members.values());
    this.#slowStart?.rehearse(eligible, () => this.#policy.update(eligible, all));
  }

  #tellPolicy(now: number): void {
    this.#stale = true;
    this.#dueAt = -Infinity;
    this.#slowStart?.refresh(this.members.values(), now);
    const eligible = this.#availability.eligible(this.members.values());
    this.#policy.update(eligible, this.#availability.wanted(this.members.values()));
    this.#told = true;
    this.#stale = false;
    for (const member of this.members.values()) {
      member.eligible = false;
      member.inPanic = this.panicking;
    }
    for (const member of eligible) member.eligible = true;
    this.#request.inFlight = eligible.reduce((sum, { inFlight }) => sum + inFlight, 0);
    this.#schedule();
  }

  #schedule(): void {
    this.#dueAt = Math.min(this.#outlier?.dueAt ?? Infinity, this.#slowStart?.dueAt ?? Infinity);
  }
}
