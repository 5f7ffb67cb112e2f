import type { LeaseLostError } from '@ashlar/store';
import type { Place } from '../ground/ground.ts';

export interface Settings {
  readonly place: Place;
  /** Keeps the name and the counter of one run apart from those of others on the same server. */
  readonly run: string;
  readonly ttlMs: number;
}

/** What a contender reports to the process that started it. */
export type Told =
  | { readonly told: 'waiting' }
  | { readonly told: 'leading'; readonly token: bigint }
  | { readonly told: 'wrote'; readonly token: bigint; readonly count: number }
  | { readonly told: 'refused'; readonly token: bigint; readonly seen: bigint }
  | { readonly told: 'lost'; readonly token: bigint; readonly reason: LeaseLostError['reason'] }
  | { readonly told: 'trouble'; readonly message: string };
