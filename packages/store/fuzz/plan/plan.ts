/** What happens in one case, as JSON holds it. The number of a store is taken modulo that of all. */
export interface Plan {
  readonly stores: readonly StoreSpec[];
  readonly steps: readonly Step[];
}

export interface StoreSpec {
  /** One of the site's users. */
  readonly user: string;
  /** `impatient`: its time limit is so short that any call may miss it. */
  readonly patience: 'patient' | 'impatient';
  /** How many connections it may have, where there is a pool. */
  readonly pool: number;
}

export type Step =
  /** All at once. The trouble begins while they are under way, and lasts until `calm`. */
  | { readonly step: 'calls'; readonly calls: readonly Call[]; readonly trouble?: string }
  /** The trouble ends, and each store answers again. */
  | { readonly step: 'calm' }
  | { readonly step: 'wait'; readonly ms: number }
  | { readonly step: 'watch'; readonly store: number; readonly prefix: string }
  | { readonly step: 'unwatch'; readonly store: number }
  /** While the calls of the next step are under way, where it has any. */
  | { readonly step: 'close'; readonly store: number };

/** `last` is the newest version or token that anybody has seen, `first` the oldest. */
export type Seen = 'last' | 'first';

export type Call = { readonly store: number } & (
  | { readonly op: 'get'; readonly key: string }
  | { readonly op: 'getMany'; readonly keys: readonly string[] }
  | {
      readonly op: 'set';
      readonly key: string;
      readonly bytes: number;
      readonly ttlMs?: number;
      readonly ifVersion?: 'absent' | Seen | { readonly text: string };
    }
  | { readonly op: 'setMany'; readonly keys: readonly string[]; readonly ttlMs?: number }
  | { readonly op: 'delete'; readonly key: string; readonly ifVersion?: Seen | { readonly text: string } }
  | { readonly op: 'list'; readonly prefix: string }
  | {
      readonly op: 'claim';
      readonly name: string;
      readonly holder: string;
      readonly ttlMs: number;
      /** Microseconds from the newest token, from now, or from a day from now. */
      readonly above?: { readonly of: 'token' | 'now' | 'limit'; readonly plus: number };
    }
  | { readonly op: 'release'; readonly name: string; readonly token: Seen | { readonly text: string } }
  /** Arguments that every store refuses in the same way. */
  | { readonly op: 'nonsense'; readonly what: string }
);
