import type { Known } from './verdict/difference.ts';

/** Faults that are known; an entry goes when its fault is mended. */
export const toMend: readonly Known[] = [];
