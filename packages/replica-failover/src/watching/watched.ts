import type { Observed } from '../authority.ts';
import type { Server, Sighting } from '../server.ts';

/** Weight of the newest round trip in the average, as MongoDB's drivers have it. */
const newest = 0.2;

/** One server, and what is known of it. */
export class Watched<C> implements Observed {
  readonly server: Server<C>;
  state: Observed['state'] = 'new';
  sighting: Sighting | undefined;
  /** When it was asked for the latest sighting. */
  sightedAt: number = -Infinity;
  /** Why it is not up. */
  error: unknown;
  downSince: number | undefined;
  isSilent = false;
  readonly #listeners = new Set<(error: unknown) => void>();
  #doubts = 0;
  #answered = 0;
  /** The average round trip of a look, in milliseconds. */
  roundTripMs: number | undefined;

  constructor(server: Server<C>) {
    this.server = server;
  }

  /** Calls the listener when it goes down. Returns a function that forgets it. */
  onDown(listener: (error: unknown) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** It may have been started again since it was looked at, and be behind what it had. */
  get isInDoubt(): boolean {
    return this.#doubts > this.#answered;
  }

  /** Its connections break. */
  doubt(): void {
    this.#doubts++;
  }

  /** Begins a look. Returns what to call when that has succeeded: it answers the doubts of before. */
  asked(): () => void {
    const doubts = this.#doubts;
    return () => {
      this.#answered = doubts;
    };
  }

  wentDown(error: unknown): void {
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) listener(error);
  }

  get id(): string {
    return this.server.id;
  }

  get region(): string | undefined {
    return this.server.region;
  }

  tookMs(roundTripMs: number): void {
    const average = this.roundTripMs ?? roundTripMs;
    this.roundTripMs = average + newest * (roundTripMs - average);
  }
}
