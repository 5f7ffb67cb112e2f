import { Rejected } from './rejected.ts';

/** The share of the cache that the window has at first, and its least and greatest. */
const firstShare = 0.01;
const leastShare = 0.01;
const greatestShare = 0.8;
/** What a step is of the cache, for each factor of e between what the window and the main part would make of it. */
const stepShare = 0.02;
const greatestStepShare = 0.0625;
/** How much of what was counted still counts after each step. */
const keep = 0.5;

/**
 * Finds the share of the window by climbing: it moves to where an entry more would bring more hits. What an entry more or
 * less would do is measured at the edges:
 *
 * - the window, were it larger, would have held on to keys that were turned away a little earlier and came back;
 * - were it smaller, it would lose the hits of its oldest entries;
 * - the main part lives by the hits of the older half of its probation, which are what it would lose or gain first.
 *
 * All three are counted in the same requests, so that a change of the workload does not look like an effect of the step.
 */
export class WindowClimber {
  /** The share of the bound that the window should have. */
  share: number = firstShare;
  /** How many entries came: the clock by which ages are measured. */
  arrivals = 0;
  readonly #rejected = new Rejected();
  #requests = 0;
  #hits = 0;
  #edgeHits = 0;
  #probationHits = 0;
  /** Requests since the last step. */
  #since = 0;

  clear(): void {
    this.share = firstShare;
    this.arrivals = 0;
    this.#rejected.clear();
    this.#requests = this.#hits = this.#edgeHits = this.#probationHits = this.#since = 0;
  }

  /** A hit in a window of that many entries, by one that was last asked for at `stamp`. */
  windowHit(stamp: number, windowSize: number, size: number): void {
    const age = (this.arrivals - stamp) | 0;
    if (age > windowSize - edgeOf(size)) this.#edgeHits++;
    this.#hits++;
    this.#since++;
  }

  /** A hit in probation by one that came there at `stamp`, when `now` had come. */
  probationHit(stamp: number, now: number, probationSize: number): void {
    if (((now - stamp) | 0) * 2 >= probationSize) this.#probationHits++;
    this.#hits++;
    this.#since++;
  }

  protectedHit(): void {
    this.#hits++;
    this.#since++;
  }

  /** A key that is not there came. */
  miss(hash: number, size: number): void {
    this.arrivals = (this.arrivals + 1) | 0;
    this.#rejected.missed(hash, this.arrivals, size);
    this.#since++;
  }

  /** A key was not admitted to the main part. */
  reject(hash: number): void {
    this.#rejected.add(hash, this.arrivals);
  }

  /** Whether there were enough requests for a step. */
  isDue(size: number): boolean {
    return this.#since >= size;
  }

  /** Moves `share`, with that many entries in the window, in probation and in all. */
  step(windowSize: number, probationSize: number, size: number): void {
    this.#requests += this.#since;
    this.#since = 0;
    const main = probationSize === 0 ? 0 : (2 * this.#probationHits) / probationSize;
    const edge = this.#edgeHits / Math.max(1, Math.min(edgeOf(size), windowSize));
    const misses = this.#requests - this.#hits;
    // What the main part loses comes through the window as well, and pushes out its entries sooner.
    const slower = misses === 0 ? 0 : Math.max(0, 1 - (main * windowSize) / misses);
    const grown = slower * this.#rejected.bestDensity(size);
    const least = 1 / size;
    let wish = 0;
    if (grown > main) wish = Math.log((grown + least) / (main + least));
    else if (Math.max(edge, grown) < main) wish = Math.log((Math.max(edge, grown) + least) / (main + least));
    const change = Math.max(-greatestStepShare, Math.min(greatestStepShare, stepShare * wish));
    this.share = Math.max(leastShare, Math.min(greatestShare, this.share + change));
    this.#requests *= keep;
    this.#hits *= keep;
    this.#edgeHits *= keep;
    this.#probationHits *= keep;
    this.#rejected.fade(keep);
  }
}

/** How many of its oldest entries are the window's edge. */
function edgeOf(size: number): number {
  return Math.max(1, size / 16);
}
