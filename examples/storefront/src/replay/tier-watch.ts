import type { Fleet } from '../fleet/fleet.ts';
import type { Seen } from '../load/tally.ts';

/** From when the first replica lost the shared tier to when all had it again. */
export interface Outage {
  readonly atMs: number;
  /** `undefined`: at the end of the replay it had not come back everywhere. */
  readonly lastedMs: number | undefined;
  /** Requests that replicas answered without the tier. */
  readonly servedWithout: number;
}

export interface Phase {
  readonly requests: number;
  readonly hits: number;
}

type PhaseName = 'before' | 'during' | 'after';

/** Follows the tier that the replicas share: when it is away, and what is answered meanwhile. */
export class TierWatch {
  readonly phases: Record<PhaseName, { requests: number; hits: number }> = {
    before: { requests: 0, hits: 0 },
    during: { requests: 0, hits: 0 },
    after: { requests: 0, hits: 0 },
  };
  readonly #outages: { atMs: number; lastedMs: number | undefined; servedWithout: number }[] = [];
  readonly #now: () => number;
  readonly #onOutage: (outage: Outage) => void;
  #startMs: number;

  /** `onOutage` is called when the tier is lost, and when it is back. */
  constructor(fleet: Fleet, now: () => number, onOutage: (outage: Outage) => void) {
    this.#now = now;
    this.#onOutage = onOutage;
    this.#startMs = now();
    fleet.onTier(away => this.#changed(away));
  }

  get outages(): readonly Outage[] {
    return this.#outages;
  }

  /** The first request is about to be sent. What has ended by now is no matter of the replay. */
  start(): void {
    this.#startMs = this.#now();
    const isOn = this.#isOn;
    this.#outages.length = 0;
    if (isOn) this.#outages.push({ atMs: 0, lastedMs: undefined, servedWithout: 0 });
  }

  answered(seen: Seen): void {
    const last = this.#outages.at(-1);
    if (!seen.ok) return;
    if (seen.tierAway && last !== undefined) last.servedWithout++;
    const phase = this.phases[last === undefined ? 'before' : this.#isOn ? 'during' : 'after'];
    phase.requests++;
    if (seen.hit) phase.hits++;
  }

  get #isOn(): boolean {
    const last = this.#outages.at(-1);
    return last !== undefined && last.lastedMs === undefined;
  }

  #changed(away: ReadonlySet<string>): void {
    if (away.size > 0 === this.#isOn) return;
    const atMs = this.#now() - this.#startMs;
    if (this.#isOn) this.#outages.at(-1)!.lastedMs = atMs - this.#outages.at(-1)!.atMs;
    else this.#outages.push({ atMs, lastedMs: undefined, servedWithout: 0 });
    this.#onOutage(this.#outages.at(-1)!);
  }
}
