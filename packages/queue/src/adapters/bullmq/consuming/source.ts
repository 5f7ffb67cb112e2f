import type { BullJob } from '../library.ts';
import type { Held } from './held.ts';

/** What a source handed out. */
export interface Claimed {
  readonly jobs: readonly { readonly job: BullJob; readonly token: string }[];
  /** Milliseconds until there may be more, 0 or less when that time has come; undefined where it is not known. */
  readonly moreInMs: number | undefined;
}

/** Where a consumer gets its jobs from. */
export interface Source {
  /** Whether settling a job hands out the next one in the same command. */
  readonly fetchesNext: boolean;
  /** Claims jobs for free places, at most so many. */
  claim(places: number, makeToken: () => string): Promise<Claimed>;
  /** A job was settled. */
  settled(held: Held): void;
}
