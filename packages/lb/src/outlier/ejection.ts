import { channels, type ReturnMessage } from '../diagnostics.ts';
import type { Endpoint } from '../endpoint.ts';
import type { Member, Probe } from '../endpoints/member.ts';
import { isExcused, type Outcome } from '../policy.ts';
import { ConsecutiveFailures } from './consecutive.ts';
import { failurePercentOutliers } from './failure-percent.ts';
import { Interval } from './interval.ts';
import type { OutlierSettings } from './options.ts';
import { successRateOutliers } from './success-rate.ts';

/** What counts of a request. */
export interface Observed {
  /** How many requests the endpoint got before this one. */
  readonly sequence: number;
  readonly startedAt: number;
  /**
   * For an ejected endpoint. The success of a probe ends the ejection, and its failure prolongs it. The last resort, which
   * had no other endpoint, can only end it.
   */
  readonly trial: 'probe' | 'last resort' | undefined;
}

/**
 * Ejects endpoints that keep failing, and brings them back. When an ejection is over, the endpoint gets one request at a
 * time, or one each `baseEjectionMs` while none has ended: a success brings it back, a failure ejects it for twice as long.
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
   */
  observe(member: Member<E>, request: Observed, outcome: Outcome, now: number): boolean {
    const ok = outcome.ok || isExcused(outcome);
    if (member.isUsable) {
      const reason = this.#consecutive.observe(member, request.sequence, ok);
      return reason !== undefined && this.#judge(member, reason, now, outcome.retryAfterMs);
    }
    if (!decides(member, request)) return false;
    if (ok) {
      this.#return(member, 'probe', now);
      return true;
    }
    if (request.trial === 'last resort') return false;
    this.#eject(member, 'the probe failed', 2 * member.ejectedForMs, now, outcome.retryAfterMs);
    return true;
  }

  /** A request has begun to be answered well, which is enough of a probe. Returns whether the endpoint came back by it. */
  answered(member: Member<E>, request: Observed, now: number): boolean {
    if (!decides(member, request)) return false;
    this.#return(member, 'probe', now);
    return true;
  }

  /** A probe has begun, and the next is due when it has taken too long. */
  probing(now: number): void {
    this.#returnDueAt = Math.min(this.#returnDueAt, now + this.#settings.baseEjectionMs);
  }

  /** Ends the ejections and the interval that are due. Returns whether any endpoint takes other requests than before. */
  upkeep(now: number): boolean {
    let changed = false;
    if (now >= this.#returnDueAt) {
      for (const member of this.#members.values()) {
        if (member.state === 'ejected' && member.ejectedUntil <= now) changed = this.endEarly(member);
        if (member.probe !== undefined && this.#overdueAt(member.probe) <= now) {
          // It still decides, but makes room for another one: it may be a stream, or never end
          member.probe = undefined;
          changed = true;
        }
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
    member.ejectedAt = now;
    member.ejectedForMs = lastsMs;
    member.ejectedUntil = now + lastsMs;
    member.probe = undefined;
    this.#returnDueAt = Math.min(this.#returnDueAt, member.ejectedUntil);
    if (!channels.eject.hasSubscribers) return;
    const about = { balancer: this.#balancer, endpoint: member.endpoint.id };
    channels.eject.publish({ ...about, reason, forMs: lastsMs, times: member.ejections });
  }

  #return(member: Member<E>, reason: ReturnMessage['reason'], now: number): void {
    member.state = 'up';
    if (reason === 'probe') member.startedAt = now;
    // It may come back without its probe, whose answer then decides nothing
    member.probe = undefined;
    member.upSince = now;
    this.startAnew(member);
    if (!channels.return.hasSubscribers) return;
    channels.return.publish({ balancer: this.#balancer, endpoint: member.endpoint.id, reason });
  }

  #schedule(): void {
    this.#returnDueAt = Infinity;
    for (const { state, ejectedUntil, probe } of this.#members.values()) {
      if (state === 'ejected') this.#returnDueAt = Math.min(this.#returnDueAt, ejectedUntil);
      if (probe !== undefined) this.#returnDueAt = Math.min(this.#returnDueAt, this.#overdueAt(probe));
    }
  }

  #overdueAt({ startedAt }: Probe): number {
    return startedAt + this.#settings.baseEjectionMs;
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

/** Whether the request decides about the current ejection. All other answers are to requests from before. */
function decides<E extends Endpoint>({ isEjected, ejectedAt }: Member<E>, request: Observed): boolean {
  return isEjected && request.trial !== undefined && request.startedAt >= ejectedAt;
}

function countsAsEjected<E extends Endpoint>({ isEnabled, health, isEjected }: Member<E>): boolean {
  return isEnabled && health === 'healthy' && isEjected;
}
