import { channels } from '../diagnostics.ts';
import type { Endpoint } from '../endpoint.ts';
import type { OutlierEjection } from '../outlier/ejection.ts';
import type { Policy } from '../policy.ts';
import type { Member, Members } from './member.ts';
import type { SlowStart } from './slow-start.ts';

export interface AvailabilityParts<E extends Endpoint> {
  readonly balancer: string;
  readonly members: Members<E>;
  readonly policy: Policy<E>;
  readonly panicPercent: number;
  readonly outlier: OutlierEjection<E> | undefined;
  readonly slowStart: SlowStart<E> | undefined;
}

/**
 * Decides which endpoints take requests, and passes them to the policy: those that are neither ejected nor unhealthy, and
 * those that are probed. When fewer than `panicPercent` of all are usable, all take requests (Envoy's panic threshold):
 * then wrong verdicts are likelier than so many failures, and the few endpoints left would break under the load of all.
 *
 * Drained endpoints do not count, nor do those that wait for their first check, unless there are no others.
 */
export class Availability<E extends Endpoint> {
  /** Whether all endpoints take requests because too few are usable. */
  panicking = false;
  /** Whether the policy has a set. Until then its `pick` must not be called. */
  isReady = false;
  /** When `upkeep` is due. There are no timers: each pick compares this with the time. */
  dueAt: number = Infinity;
  /** The policy has not taken the latest change. */
  #stale = false;
  readonly #balancer: string;
  readonly #members: Members<E>;
  readonly #policy: Policy<E>;
  readonly #panicPercent: number;
  readonly #outlier: OutlierEjection<E> | undefined;
  readonly #slowStart: SlowStart<E> | undefined;

  constructor(parts: AvailabilityParts<E>) {
    this.#balancer = parts.balancer;
    this.#members = parts.members;
    this.#policy = parts.policy;
    this.#panicPercent = parts.panicPercent;
    this.#outlier = parts.outlier;
    this.#slowStart = parts.slowStart;
  }

  /** Passes the current candidates to the policy. @throws what the policy throws; the next pick then repeats the update */
  update(now: number): void {
    this.#stale = true;
    this.dueAt = -Infinity;
    this.#slowStart?.refresh(this.#members.values(), now);
    const eligible = this.#eligible();
    this.#policy.update(eligible, this.#members.enabled());
    this.isReady = true;
    this.#stale = false;
    for (const member of this.#members.values()) {
      member.eligible = false;
      member.inPanic = this.panicking;
    }
    for (const member of eligible) member.eligible = true;
    this.schedule();
  }

  /** A policy that cannot take a part of a weight throws here, rather than later when an endpoint comes back. */
  rehearse(): void {
    if (this.#slowStart === undefined) return;
    const eligible = this.#eligible();
    this.#slowStart.reset(eligible);
    this.#policy.update(eligible, this.#members.enabled());
  }

  /** Ends due ejections and slow-start steps; returns whether an update must follow. */
  upkeep(now: number): boolean {
    const changed = this.#outlier?.upkeep(now) ?? false;
    if (changed || this.#stale || now >= (this.#slowStart?.dueAt ?? Infinity)) return true;
    this.schedule();
    return false;
  }

  /** A new array of the endpoints that take requests from now on. */
  #eligible(): Member<E>[] {
    const enabled = this.#members.enabled();
    const counted = enabled.filter(({ health }) => health !== 'unchecked').length;
    const usable = enabled.filter(({ isUsable }) => isUsable).length;
    const share = counted === 0 ? 0 : (usable / counted) * 100;
    this.#setPanicking(enabled.length > 0 && share < this.#panicPercent, usable, counted);
    if (this.panicking || counted === 0) return enabled;
    return enabled.filter(({ health, state }) => health === 'healthy' && state !== 'ejected');
  }

  #setPanicking(panicking: boolean, usable: number, total: number): void {
    if (panicking === this.panicking) return;
    this.panicking = panicking;
    if (!channels.panic.hasSubscribers) return;
    channels.panic.publish({ balancer: this.#balancer, panicking, usable, total });
  }

  /** Follows a change of what is due. */
  schedule(): void {
    this.dueAt = Math.min(this.#outlier?.dueAt ?? Infinity, this.#slowStart?.dueAt ?? Infinity);
  }
}
