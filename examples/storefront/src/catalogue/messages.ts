import type { EvictionName } from '../evictions.ts';
import type { Condition } from './condition.ts';
import type { TierSettings } from './shared-tier.ts';

export interface CatalogueSettings {
  readonly replica: string;
  readonly cache: number;
  readonly eviction: EvictionName;
  readonly loadMs: number;
  readonly seed: number;
  /** On how many shards its products are; 0 for none. */
  readonly shards: number;
  readonly tier?: TierSettings;
}

/** To a replica. `warm`: run these products through the cache, uncounted, and reply with `warmed`. */
export type ReplicaCommand =
  | { readonly type: 'condition'; readonly condition: Condition }
  | { readonly type: 'warm'; readonly keys: readonly string[] };

/** From a replica. `tier`: its cache has lost the shared tier, or has it again. */
export type ReplicaNotice =
  | { readonly type: 'tier'; readonly connected: boolean }
  | { readonly type: 'warmed' };
