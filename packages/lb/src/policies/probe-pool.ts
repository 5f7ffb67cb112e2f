import type { Candidate } from '../candidate.ts';
import type { Endpoint } from '../endpoint.ts';
import type { PickRequest } from '../policy.ts';
import type { Load } from '../probing.ts';

export interface PoolSettings {
  readonly size: number;
  readonly maxAgeMs: number;
  readonly coldPart: number;
  readonly probesPerPick: number;
}

interface Answer<E extends Endpoint> {
  readonly candidate: Candidate<E>;
  readonly at: number;
  readonly latencyMs: number;
  /** As it said, and one more for each request that it was given since. */
  inFlight: number;
  uses: number;
}

/** How many uses more than new answers an answer may have; the δ of the paper. */
const reuse = 1;

/** The latest answers to probes, at most one of each candidate, the oldest first; and the choice among them. */
export class ProbePool<E extends Endpoint> {
  readonly #settings: PoolSettings;
  #answers: Answer<E>[] = [];
  #eligible: ReadonlySet<Candidate<E>> = new Set();
  /** After how many uses an answer is used up. */
  #maxUses = Infinity;
  #removeOldest = true;

  constructor(settings: PoolSettings) {
    this.#settings = settings;
  }

  retain(eligible: readonly Candidate<E>[]): void {
    const { size, probesPerPick } = this.#settings;
    this.#eligible = new Set(eligible);
    this.#answers = this.#answers.filter(({ candidate }) => this.#eligible.has(candidate));
    // New answers to a pick that are of use, less the one that is removed; a small set may use them again and again
    const gained = (1 - Math.min(size, eligible.length) / eligible.length) * probesPerPick - 1;
    this.#maxUses = gained > 0 ? Math.max(1, Math.floor((1 + reuse) / gained)) : Infinity;
  }

  add(candidate: Candidate<E>, { inFlight, latencyMs }: Load, now: number): void {
    if (!this.#eligible.has(candidate)) return;
    const before = this.#answers.findIndex(answer => answer.candidate === candidate);
    if (before >= 0) this.#answers.splice(before, 1);
    else if (this.#answers.length === this.#settings.size) this.#answers.shift();
    this.#answers.push({ candidate, at: now, inFlight, latencyMs, uses: 0 });
  }

  /**
   * The best by the hot-cold rule; `undefined` where fewer than two can be chosen from. Then one answer is removed: in
   * turns the oldest and the worst, so that a bad one does not stay because nobody uses it.
   *
   * @param held what is to be added to an answer
   */
  take(request: PickRequest<E>, held: (candidate: Candidate<E>) => Load): Candidate<E> | undefined {
    this.#expire(request.now);
    let best: Rated<E> | undefined;
    const rated = this.#rated(request, held);
    if (rated.length < 2) return undefined;
    const threshold = this.#threshold(rated);
    for (const each of rated) if (best === undefined || isBetter(each, best, threshold)) best = each;
    const { answer } = best!;
    answer.inFlight++;
    answer.uses++;
    if (answer.uses >= this.#maxUses) this.#remove(answer);
    this.#removeOne(rated, threshold);
    return answer.candidate;
  }

  #rated(request: PickRequest<E>, held: (candidate: Candidate<E>) => Load): Rated<E>[] {
    const rated: Rated<E>[] = [];
    for (const answer of this.#answers) {
      if (request.skip(answer.candidate)) continue;
      const more = held(answer.candidate);
      const inFlight = answer.inFlight + more.inFlight;
      rated.push({ answer, inFlight, latencyMs: answer.latencyMs + more.latencyMs });
    }
    return rated;
  }

  /** The most that a cold one has in flight: at least `coldPart` of all have no more (nearest rank). */
  #threshold(rated: readonly Rated<E>[]): number {
    const sorted = rated.map(({ inFlight }) => inFlight).sort((a, b) => a - b);
    return sorted[Math.max(0, Math.ceil(this.#settings.coldPart * sorted.length) - 1)]!;
  }

  #expire(now: number): void {
    const { maxAgeMs } = this.#settings;
    while (this.#answers.length > 0 && now - this.#answers[0]!.at > maxAgeMs) this.#answers.shift();
  }

  /** Only as many as probes bring: a pool that is not full keeps what it has. */
  #removeOne(rated: readonly Rated<E>[], threshold: number): void {
    if (this.#answers.length < Math.min(this.#settings.size, this.#eligible.size)) return;
    this.#removeOldest = !this.#removeOldest;
    if (this.#removeOldest) this.#answers.shift();
    else
      this.#remove(rated.reduce((worst, each) => (isBetter(each, worst, threshold) ? worst : each)).answer);
  }

  #remove(answer: Answer<E>): void {
    const index = this.#answers.indexOf(answer);
    if (index >= 0) this.#answers.splice(index, 1);
  }
}

interface Rated<E extends Endpoint> {
  readonly answer: Answer<E>;
  readonly inFlight: number;
  readonly latencyMs: number;
}

/** The hot-cold rule: cold before hot, of the cold the faster one, of the hot the one with less in flight. */
function isBetter<E extends Endpoint>(a: Rated<E>, b: Rated<E>, threshold: number): boolean {
  const isCold = a.inFlight <= threshold;
  if (isCold !== b.inFlight <= threshold) return isCold;
  return isCold ? a.latencyMs < b.latencyMs : a.inFlight < b.inFlight;
}
