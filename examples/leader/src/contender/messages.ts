import type { LeaseLostError } from '@ashlar/store';
import type { Place } from '../backends/backend.ts';

export interface Settings {
  readonly place: Place;
  /** Keeps the name and the counter of one run apart from those of others on the same server. */
  readonly run: string;
  readonly ttlMs: number;
}

/** What a contender reports to the process that started it. */
export type Message =
  | { readonly type: 'waiting' }
  | { readonly type: 'leading'; readonly token: bigint }
  | { readonly type: 'wrote'; readonly token: bigint; readonly count: number }
  | { readonly type: 'refused'; readonly token: bigint; readonly seen: bigint }
  | { readonly type: 'lost'; readonly token: bigint; readonly reason: LeaseLostError['reason'] }
  | { readonly type: 'error'; readonly message: string };
