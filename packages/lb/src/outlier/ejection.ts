import { channels, type ReturnMessage } from '../diagnostics.ts';
import type { Endpoint } from '../endpoint.ts';
import type { Member } from '../endpoints/member.ts';
import { isExcused, type Outcome } from '../policy.ts';
import { ConsecutiveFailures } from './consecutive.ts';
import { failurePercentOutliers } from './failure-percent.ts';
import { Interval } from './interval.ts';
import type { OutlierSettings } from './options.ts';
import { successRateOutliers } from './success-rate.ts';

/**
 * Ejects endpoints that keep failing, and brings them back. When an ejection is over, the endpoint gets one request at a
 * time: a success brings it back, a failure ejects it for twice as long.
 *
 * Follows Envoy's outlier detection (consecutive failures, success rate, failure percentage, multiples of a base time,
 * a limit in percent), with two differences: the limit always allows one of two to be ejected, and never all; and there
 * are probes. No timers: a pick compares `dueAt` with the time.
 */
export class OutlierEjection<E extends Endpoint> {
  readonly #balancer: string;
  readonly #settings: OutlierSettings;
  readonly #members: ReadonlyMap<string, Member<E>>;
  readonly #consecutive: ConsecutiveFailures<E>;
  readonly #interval: Interval<E> | undefined;
  #returnDueAt = Infinity;

  constructor(balancer: string, settings: OutlierSettings, members: ReadonlyMap<string, Member<E>>) {
    this.#balancer = balancer;
    this.#settings = settings;
    this.#members = members;
    this.#consecutive = new ConsecutiveFailures(settings.consecutiveFailures);
    const counts = settings.successRate !== undefined || settings.failurePercent !== undefined;
    this.#interval = counts ? new Interval(settings.intervalMs) : undefined;
  }

  /** When the next ejection or the interval ends. */
  get dueAt(): number {
    return Math.min(this.#returnDueAt, this.#interval?.endsAt ?? Infinity);
  }

  /**
   * Records a request that ended. Returns whether the endpoint was ejected or came back by it.
   *
   * @param sequence how many requests the endpoint got before this one
   * @param isProbe whether the request decides about an ejected endpoint: its probe, or one that had no other endpoint
   */
  observe(member: Member<E>, sequence: number, isProbe: boolean, outcome: Outcome, now: number): boolean {
    const ok = outcome.ok || isExcused(outcome);
    if (member.isUsable) {
      const reason = this.#consecutive.observe(member, sequence, ok);
      return reason !== undefined && this.#judge(member, reason, now, outcome.retryAfterMs);
    }
    // Only its probe decides about an ejected endpoint: other answers are to requests from before
    if (!isProbe || !member.isEjected) return false;
    if (ok) {
      member.startedAt = now;
      this.#return(member, 'probe', now);
    } else {
      // A failure as the last resort does not prolong the ejection
      if (member.state === 'ejected') return false;
      this.#eject(member, 'the probe failed', 2 * member.ejectedForMs, now, outcome.retryAfterMs);
    }
    return true;
  }

  /** Ends the ejections and the interval that are due. Returns whether any endpoint was ejected or came back. */
  upkeep(now: number): boolean {
    let changed = false;
    if (now >= this.#returnDueAt) {
      for (const member of this.#members.values()) {
        if (member.state === 'ejected' && member.ejectedUntil <= now) changed = this.endEarly(member);
      }
      this.#schedule();
    }
    if (this.#interval !== undefined && now >= this.#interval.endsAt) {
      changed = this.#judgeInterval(this.#interval, now) || changed;
    }
    return changed;
  }

  /** The next request is a probe. Returns whether the endpoint was ejected. */
  endEarly(member: Member<E>): boolean {
    if (member.state !== 'ejected') return false;
    member.state = 'probing';
    return true;
  }

  /** Brings endpoints back that exceed the limit after the set has changed: those first that are due first. */
  enforceLimit(now: number): void {
    const excess = -this.#headroom();
    if (excess > 0) {
      const ejected = [...this.#members.values()].filter(countsAsEjected);
      ejected.sort((a, b) => a.ejectedUntil - b.ejectedUntil);
      for (const member of ejected.slice(0, excess)) this.#return(member, 'limit', now);
    }
    this.#schedule();
  }

  /** Drops the counts of the endpoint so far. */
  startAnew(member: Member<E>): void {
    this.#consecutive.forget(member);
    this.#interval?.startAnew(member);
  }

  /** The endpoint left. */
  forget(member: Member<E>): void {
    this.#consecutive.forget(member);
    this.#interval?.forget(member);
  }

  #judgeInterval(interval: Interval<E>, now: number): boolean {
    const { successRate, failurePercent } = this.#settings;
    const tallies = interval.next(this.#members.values(), now).filter(({ of }) => of.isUsable);
    if (tallies.length === 0) return false;
    const outliers = [
      ...(successRate === undefined ? [] : successRateOutliers(tallies, successRate)),
      ...(failurePercent === undefined ? [] : failurePercentOutliers(tallies, failurePercent)),
    ];
    let changed = false;
    for (const { of, reason } of outliers) changed = this.#judge(of, reason, now) || changed;
    return changed;
  }

  #judge(member: Member<E>, reason: string, now: number, retryAfterMs?: number): boolean {
    if (!member.isUsable || this.#headroom() <= 0) return false;
    const { baseEjectionMs } = this.#settings;
    const forgiven = Math.floor((now - member.upSince) / baseEjectionMs);
    member.ejections = Math.max(0, member.ejections - forgiven);
    this.#eject(member, reason, baseEjectionMs * (member.ejections + 1), now, retryAfterMs);
    return true;
  }

  #eject(member: Member<E>, reason: string, forMs: number, now: number, retryAfterMs = 0): void {
    const { maxEjectionMs } = this.#settings;
    member.state = 'ejected';
    member.ejections++;
    const lastsMs = Math.max(Math.min(forMs, maxEjectionMs), retryAfterMs);
    member.ejectedForMs = lastsMs;
    member.ejectedUntil = now + lastsMs;
    this.#returnDueAt = Math.min(this.#returnDueAt, member.ejectedUntil);
    if (!channels.eject.hasSubscribers) return;
    const about = { balancer: this.#balancer, endpoint: member.endpoint.id };
    channels.eject.publish({ ...about, reason, forMs: lastsMs, times: member.ejections });
  }

  #return(member: Member<E>, reason: ReturnMessage['reason'], now: number): void {
    member.state = 'up';
    // It may come back without its probe, whose answer then decides nothing
    member.probe = undefined;
    member.upSince = now;
    this.startAnew(member);
    if (!channels.return.hasSubscribers) return;
    channels.return.publish({ balancer: this.#balancer, endpoint: member.endpoint.id, reason });
  }

  #schedule(): void {
    this.#returnDueAt = Infinity;
    for (const member of this.#members.values()) {
      if (member.state === 'ejected') this.#returnDueAt = Math.min(this.#returnDueAt, member.ejectedUntil);
    }
  }

  /** How many more may be ejected; negative when too many are. */
  #headroom(): number {
    let enabled = 0;
    let healthy = 0;
    let ejected = 0;
    for (const member of this.#members.values()) {
      if (!member.isEnabled) continue;
      enabled++;
      if (member.health === 'healthy') healthy++;
      if (countsAsEjected(member)) ejected++;
    }
    const share = Math.floor((enabled * this.#settings.maxEjectionPercent) / 100);
    return Math.max(0, Math.min(healthy - 1, Math.max(1, share))) - ejected;
  }
}

function countsAsEjected<E extends Endpoint>({ isEnabled, health, isEjected }: Member<E>): boolean {
  return isEnabled && health === 'healthy' && isEjected;
}
