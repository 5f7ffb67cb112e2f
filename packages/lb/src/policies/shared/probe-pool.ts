import type { Endpoint } from '../../endpoint.ts';
import type { Candidate, Load, PickRequest } from '../../policy.ts';

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
  /** As it answered, and one more for each request that it has got since. */
  inFlight: number;
  uses: number;
  /** What it is compared by: the two above, plus the held failures of the candidate. */
  busy: number;
  expectedMs: number;
}

/** How many more uses than new answers an answer may have; the δ of the paper. */
const reuse = 1;

/** The latest answers to probes, at most one of each candidate, oldest first, and the choice among them. */
export class ProbePool<E extends Endpoint> {
  readonly #settings: PoolSettings;
  #answers: Answer<E>[] = [];
  /** Scratch space of a pick: the answers it may choose from. */
  readonly #rated: Answer<E>[] = [];
  readonly #sorted: number[] = [];
  #eligible: ReadonlySet<Candidate<E>> = new Set();
  /** How many uses an answer has. */
  #maxUses = Infinity;
  #removeOldest = true;

  constructor(settings: PoolSettings) {
    this.#settings = settings;
  }

  retain(eligible: readonly Candidate<E>[]): void {
    const { size, probesPerPick } = this.#settings;
    this.#eligible = new Set(eligible);
    this.#answers = this.#answers.filter(({ candidate }) => this.#eligible.has(candidate));
    // Useful new answers a pick, less the one that is removed; a small set may reuse answers without limit
    const gained = (1 - Math.min(size, eligible.length) / eligible.length) * probesPerPick - 1;
    this.#maxUses = gained > 0 ? Math.max(1, Math.floor((1 + reuse) / gained)) : Infinity;
  }

  add(candidate: Candidate<E>, { inFlight, latencyMs }: Load, now: number): void {
    if (!this.#eligible.has(candidate)) return;
    const before = this.#answers.findIndex(answer => answer.candidate === candidate);
    if (before >= 0) this.#answers.splice(before, 1);
    else if (this.#answers.length === this.#settings.size) this.#answers.shift();
    this.#answers.push({ candidate, at: now, inFlight, latencyMs, uses: 0, busy: 0, expectedMs: 0 });
  }

  /**
   * Returns the best by the hot-cold rule; `undefined` where fewer than two answers are usable. Then removes one answer: in
   * turns the oldest and the worst, so that a bad one does not stay because it is never used.
   *
   * @param held the load to add to an answer
   */
  take(request: PickRequest<E>, held: (candidate: Candidate<E>) => Load): Candidate<E> | undefined {
    this.#expire(request.now);
    const rated = this.#rate(request, held);
    if (rated.length < 2) return undefined;
    const threshold = this.#threshold(rated);
    let best = rated[0]!;
    for (const answer of rated) if (isBetter(answer, best, threshold)) best = answer;
    best.inFlight++;
    best.uses++;
    if (best.uses >= this.#maxUses) this.#remove(best);
    this.#removeOne(rated, threshold);
    return best.candidate;
  }

  #rate(request: PickRequest<E>, held: (candidate: Candidate<E>) => Load): readonly Answer<E>[] {
    const rated = this.#rated;
    rated.length = 0;
    for (const answer of this.#answers) {
      if (request.skip(answer.candidate)) continue;
      const more = held(answer.candidate);
      answer.busy = answer.inFlight + more.inFlight;
      answer.expectedMs = answer.latencyMs + more.latencyMs;
      rated.push(answer);
    }
    return rated;
  }

  /** The greatest number in flight of a cold answer: the `coldPart` percentile by nearest rank. */
  #threshold(rated: readonly Answer<E>[]): number {
    const sorted = this.#sorted;
    for (let count = 0; count < rated.length; count++) {
      const { busy } = rated[count]!;
      let at = count;
      for (; at > 0 && sorted[at - 1]! > busy; at--) sorted[at] = sorted[at - 1]!;
      sorted[at] = busy;
    }
    return sorted[Math.max(0, Math.ceil(this.#settings.coldPart * rated.length) - 1)]!;
  }

  #expire(now: number): void {
    const { maxAgeMs } = this.#settings;
    while (this.#answers.length > 0 && now - this.#answers[0]!.at > maxAgeMs) this.#answers.shift();
  }

  /** A pool that is not full keeps its answers. */
  #removeOne(rated: readonly Answer<E>[], threshold: number): void {
    if (this.#answers.length < Math.min(this.#settings.size, this.#eligible.size)) return;
    this.#removeOldest = !this.#removeOldest;
    if (this.#removeOldest) this.#answers.shift();
    else this.#remove(rated.reduce((worst, each) => (isBetter(each, worst, threshold) ? worst : each)));
  }

  #remove(answer: Answer<E>): void {
    const index = this.#answers.indexOf(answer);
    if (index >= 0) this.#answers.splice(index, 1);
  }
}

/** The hot-cold rule: cold before hot; of two cold ones the faster, of two hot ones the one with fewer in flight. */
function isBetter<E extends Endpoint>(a: Answer<E>, b: Answer<E>, threshold: number): boolean {
  const isCold = a.busy <= threshold;
  if (isCold !== b.busy <= threshold) return isCold;
  return isCold ? a.expectedMs < b.expectedMs : a.busy < b.busy;
}
