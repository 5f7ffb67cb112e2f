/** An exact replay. */
export interface Result {
  readonly policy: string;
  /** Entries. */
  readonly max: number;
  readonly hits: number;
  readonly misses: number;
  readonly hitRatio: number;
}

export interface CurvePoint {
  readonly max: number;
  readonly missRatio: number;
  /** Of a replay of every request; else estimated from a sample of the keys. */
  readonly exact: boolean;
}

export interface Curve {
  readonly policy: string;
  /** By size, ascending. */
  readonly points: readonly CurvePoint[];
}

/** What `--json` prints. */
export interface Report {
  readonly trace: {
    readonly name: string;
    readonly format: 'keys' | 'access log';
    readonly requests: number;
    /** How many differ. */
    readonly keys: { readonly count: number; readonly exact: boolean };
    readonly badLines: number;
    readonly skippedLines: number;
  };
  /** By size, then by hits, the best first. */
  readonly results: readonly Result[];
  /** The optimum was asked for if the trace is short enough, and it is not. */
  readonly optLeftOut: boolean;
  /** Of each policy, from the smallest of the sizes to the largest. */
  readonly curves: readonly Curve[];
  /** Of an LRU of any size, estimated by SHARDS from that share of the keys. */
  readonly lruCurve: Curve & { readonly share: number };
}
