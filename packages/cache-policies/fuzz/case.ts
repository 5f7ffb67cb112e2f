import type { EvictionName } from '../src/index.ts';
import type { Harmable, Harms, OddValue } from './grammar/names.ts';

/** How the caches of a case are made. JSON is its notation, so what is endless is left out. */
export interface Setup {
  readonly tier: 'none' | 'memory' | 'pubsub' | 'tracking';
  readonly write: 'none' | 'cacheAside' | 'writeThrough' | 'writeBehind' | 'journal';
  /** As many processes over one tier. */
  readonly caches: 1 | 2;
  readonly keys: readonly string[];
  /** What the cache is given for them; an object needs `keyOf`, or is the same object each time. */
  readonly keyType: 'text' | 'number' | 'bigint' | 'object';
  readonly eviction: EvictionName;
  readonly max: number;
  readonly weighs: boolean;
  readonly loadMany: boolean;
  readonly observes: boolean;
  /** Whether the operations of the source and of the tier are held until a step lets one go. */
  readonly gated: boolean;
  readonly random: number;
  /** Options of the cache that are plain. */
  readonly options: {
    readonly ttlMs?: number;
    readonly jitter?: number;
    readonly staleMs?: number;
    readonly staleIfErrorMs?: number;
    readonly errorBackoffMs?: number;
    readonly negativeTtlMs?: number;
    readonly timeoutMs?: number;
    readonly softTimeoutMs?: number;
    readonly refreshAhead?: { readonly lastMs?: number; readonly beta?: number };
    readonly localTtlMs?: number;
    readonly leaseMs?: number;
    readonly leaseWaitMs?: number;
    readonly onDisconnect?: { readonly serveMs: number };
  };
  /** Of `writeBehind`. */
  readonly whenFull: 'wait' | 'reject';
}

/** Keys, caches and signals by their numbers. */
export type Step =
  | {
      readonly does: 'get';
      readonly cache: number;
      readonly key: number;
      readonly own?: true;
      readonly ttlMs?: number;
      readonly tags?: readonly string[];
      readonly signal?: number;
    }
  | {
      readonly does: 'getMany';
      readonly cache: number;
      readonly keys: readonly number[];
      readonly signal?: number;
    }
  | {
      readonly does: 'set';
      readonly cache: number;
      readonly key: number;
      readonly odd?: OddValue;
      readonly ttlMs?: number;
      readonly tags?: readonly string[];
      readonly signal?: number;
    }
  | { readonly does: 'delete'; readonly cache: number; readonly key: number }
  /** Somebody else writes the source, and says so. */
  | { readonly does: 'outside'; readonly cache: number; readonly key: number; readonly by: 'tag' | 'clear' }
  | { readonly does: 'tag' | 'clear' | 'flush' | 'restart' | 'away' | 'back'; readonly cache: number }
  | { readonly does: 'resize'; readonly cache: number; readonly max: number }
  | { readonly does: 'abort'; readonly signal: number }
  | { readonly does: 'release'; readonly choice: number }
  | { readonly does: 'wait'; readonly ms: number }
  | { readonly does: 'harm'; readonly what: Harmable; readonly how: Harms; readonly times: number }
  /** The tier refuses the next operations, before or after it has made them. */
  | { readonly does: 'refuse'; readonly when: 'before' | 'after'; readonly times: number }
  /** The tier forgets everything. */
  | { readonly does: 'empty' };

export interface Case {
  readonly setup: Setup;
  readonly steps: readonly Step[];
}
