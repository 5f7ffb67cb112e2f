import type { Link } from '@ashlar/store/redis-connection';

/** The longest wait for a marker: some are lost with the consumers that took them. */
export const longestWaitMs = 1_000;
/** BullMQ wakes no later than that; Redis before 7.0.8 takes shorter times for none. */
const shortestWaitMs = 10;

export interface MarkerParts {
  /** The connection that waits. */
  readonly link: Link;
  /** The key under which BullMQ sets the marker. */
  readonly key: string;
  readonly timeoutMs: number;
  /** Redis has answered. */
  answered(): void;
  /** A wait is over, whatever its reason. */
  over(): void;
}

/**
 * Whether there is something to claim: after a claim that found nothing, not before the marker comes that BullMQ sets when there
 * is a job, or will be at its score.
 */
export class Marker {
  readonly #parts: MarkerParts;
  #isEmpty = false;
  #lookAt = 0;
  #count = 0;
  #waiting: Promise<void> | undefined;

  constructor(parts: MarkerParts) {
    this.#parts = parts;
  }

  /** How often there came to be something to claim, as far as this knows: markers, and what was settled. */
  get count(): number {
    return this.#count;
  }

  /** Whether the last look has found nothing. */
  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  get isWaitedFor(): boolean {
    return this.#isEmpty && performance.now() < this.#lookAt;
  }

  /** There may be something to claim now that was not before. */
  outdate(): void {
    this.#isEmpty = false;
    this.#count++;
  }

  /** A claim has found something. */
  sawSome(): void {
    this.#isEmpty = false;
  }

  /**
   * A claim has found nothing.
   *
   * @param count before the claim: what came since may have come too late for it
   * @param moreInMs until there may be something, where that is known: the answer may come later than that
   */
  sawNothing(count: number, moreInMs: number = longestWaitMs): void {
    this.#isEmpty = count === this.#count;
    this.#lookAt = performance.now() + Math.min(longestWaitMs, moreInMs);
  }

  /** Waits for the next, once however often it is called. */
  wait(): void {
    this.#waiting ??= this.#take().finally(() => {
      this.#waiting = undefined;
      this.#parts.over();
    });
  }

  async #take(): Promise<void> {
    const { link, key, timeoutMs, answered } = this.#parts;
    const ms = Math.max(shortestWaitMs, Math.min(longestWaitMs, this.#lookAt - performance.now()));
    try {
      const reply = await link.call({
        command: 'BZPOPMIN',
        args: [key, String(ms / 1_000)],
        asBytes: false,
        outcome: 'Unknown',
        timeoutMs: ms + timeoutMs,
      });
      answered();
      this.#count++;
      const score = Number((reply as [string, string, string] | null)?.[2] ?? 0);
      const inMs = score - Date.now();
      if (inMs > 0) this.#lookAt = Math.min(this.#lookAt, performance.now() + inMs);
      else this.#isEmpty = false;
    } catch {
      // The next claim finds out, and waits for a connection
      this.#isEmpty = false;
    }
  }
}
