import type { Slice } from './layout.ts';

export function isIn(slices: readonly Slice[], slot: number): boolean {
  return slices.some(({ from, to }) => from <= slot && slot < to);
}

/** These slots in as few slices as there can be. */
export function slicesOf(slots: readonly number[]): Slice[] {
  const slices: { from: number; to: number }[] = [];
  for (const slot of [...slots].sort((a, b) => a - b)) {
    const last = slices.at(-1);
    if (last?.to === slot) last.to++;
    else slices.push({ from: slot, to: slot + 1 });
  }
  return slices;
}

export function slotsOf(slices: readonly Slice[]): number[] {
  return slices.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, i) => from + i));
}
