import { channels, type ReturnMessage } from '../diagnostics.ts';
import type { Endpoint } from '../endpoint.ts';
import type { Member } from '../member.ts';
import type { Outcome } from '../outcome.ts';
import type { Detector } from './detector.ts';
import type { OutlierSettings } from './options.ts';

/**
 * Takes endpoints out that detectors find bad, and lets them back: when the time of an ejection is over, one request at
 * a time goes to the endpoint; the first that succeeds brings it back, one that fails ejects it for longer.
 *
 * Follows Envoy's outlier detection (multiples of a base time, a limit in percent), except that the limit always
 * allows one of two to be away, and never all. No timers: whoever picks asks `dueAt` first.
 */
export class OutlierEjection<E extends Endpoint> {
  readonly #balancer: string;
  readonly #settings: OutlierSettings;
  readonly #detectors: readonly Detector[];
  readonly #members: ReadonlyMap<string, Member<E>>;
  #dueAt = Infinity;

  constructor(
    balancer: string,
    settings: OutlierSettings,
    detectors: readonly Detector[],
    members: ReadonlyMap<string, Member<E>>,
  ) {
    this.#balancer = balancer;
    this.#settings = settings;
    this.#detectors = detectors;
    this.#members = members;
  }

  /** When the next ejection ends. */
  get dueAt(): number {
    return this.#dueAt;
  }

  /** Returns whether the endpoint went or came back by it. */
  observe(member: Member<E>, isProbe: boolean, outcome: Outcome, now: number): boolean {
    if (member.standing === 'up') return this.#judge(member, outcome, now);
    // An ejected endpoint is judged by its probe alone: other answers are to questions from before
    if (member.standing !== 'probing' || !isProbe) return false;
    if (outcome.ok) this.#return(member, 'probe', now);
    else this.#eject(member, 'the probe failed', outcome, now);
    return true;
  }

  /** Ends the ejections whose time is over. */
  release(now: number): void {
    for (const member of this.#members.values()) {
      if (member.standing === 'ejected' && member.ejectedUntil <= now) member.standing = 'probing';
    }
    this.#schedule();
  }

  /** Brings back what more are away than may be, after the set has changed: those first that were due first. */
  enforceLimit(now: number): void {
    const away = [...this.#members.values()].filter(isAway).sort((a, b) => a.ejectedUntil - b.ejectedUntil);
    const excess = away.length - this.#limit();
    for (const member of away.slice(0, Math.max(0, excess))) this.#return(member, 'limit', now);
    this.#schedule();
  }

  forget(member: Member<E>): void {
    for (const detector of this.#detectors) detector.forget(member);
  }

  #judge(member: Member<E>, outcome: Outcome, now: number): boolean {
    let reason: string | undefined;
    for (const detector of this.#detectors) reason ??= detector.observe(member, outcome, now);
    if (reason === undefined || this.#away() >= this.#limit()) return false;
    const forgiven = Math.floor((now - member.upSince) / this.#settings.baseEjectionMs);
    member.ejections = Math.max(0, member.ejections - forgiven);
    this.#eject(member, reason, outcome, now);
    return true;
  }

  #eject(member: Member<E>, reason: string, outcome: Outcome, now: number): void {
    const { baseEjectionMs, maxEjectionMs } = this.#settings;
    member.standing = 'ejected';
    member.ejections++;
    const asked = Math.max(baseEjectionMs * member.ejections, outcome.retryAfterMs ?? 0);
    const forMs = Math.min(asked, maxEjectionMs);
    member.ejectedUntil = now + forMs;
    this.#dueAt = Math.min(this.#dueAt, member.ejectedUntil);
    if (!channels.eject.hasSubscribers) return;
    const about = { balancer: this.#balancer, endpoint: member.endpoint.id };
    channels.eject.publish({ ...about, reason, forMs, times: member.ejections });
  }

  #return(member: Member<E>, reason: ReturnMessage['reason'], now: number): void {
    member.standing = 'up';
    member.upSince = now;
    this.forget(member);
    if (!channels.return.hasSubscribers) return;
    channels.return.publish({ balancer: this.#balancer, endpoint: member.endpoint.id, reason });
  }

  #schedule(): void {
    this.#dueAt = Infinity;
    for (const member of this.#members.values()) {
      if (member.standing === 'ejected') this.#dueAt = Math.min(this.#dueAt, member.ejectedUntil);
    }
  }

  #away(): number {
    let away = 0;
    for (const member of this.#members.values()) if (isAway(member)) away++;
    return away;
  }

  #limit(): number {
    let all = 0;
    for (const member of this.#members.values()) if (member.weight > 0) all++;
    const share = Math.floor((all * this.#settings.maxEjectionPercent) / 100);
    return Math.max(0, Math.min(all - 1, Math.max(1, share)));
  }
}

function isAway<E extends Endpoint>({ standing, weight }: Member<E>): boolean {
  return weight > 0 && (standing === 'ejected' || standing === 'probing');
}
