import type { Eviction } from '../bounded-map.ts';
import * as all from './all.ts';

export type EvictionName = keyof typeof all;

/** Every eviction policy of this package by name, to choose one by configuration or to compare them. */
export const evictions: Readonly<Record<EvictionName, Eviction>> = all;
