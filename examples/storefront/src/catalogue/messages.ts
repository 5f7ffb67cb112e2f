import type { EvictionName } from '../evictions.ts';
import type { TierSettings } from './shared-tier.ts';

export interface CatalogueSettings {
  readonly replica: string;
  readonly cache: number;
  readonly eviction: EvictionName;
  readonly loadMs: number;
  readonly seed: number;
  readonly tier?: TierSettings;
}

/** From a replica whose cache has a shared tier: it was lost, or is there again. */
export interface TierNotice {
  readonly type: 'tier';
  readonly connected: boolean;
}
