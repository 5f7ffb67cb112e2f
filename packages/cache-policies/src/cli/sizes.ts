/** The size of a cache that stands for a larger one: with fewer entries it errs by more than two points on skewed workloads. */
export const shadowEntries = 1_000;

/**
 * Three sizes for each power of ten between those given, evenly spaced to the eye that sees logarithms, where a small
 * part of the keys is enough to estimate what a cache of the size does.
 */
export function sizesBetween(sizes: readonly number[]): number[] {
  const [from, to] = [sizes[0]!, sizes.at(-1)!];
  const between: number[] = [];
  for (let step = 0; ; step++) {
    const size = Math.round(10 ** (step / 4));
    if (size >= to) return between;
    const near = sizes.some(given => Math.abs(Math.log10(given / size)) < 0.1);
    if (size > from && size > shadowEntries && !near) between.push(size);
  }
}

/** 1, 2, 5, 10, 20 and so on, up to where `keys` fit. */
export function sizesUpTo(keys: number): number[] {
  const sizes: number[] = [];
  for (let ten = 1; ; ten *= 10) {
    for (const size of [ten, 2 * ten, 5 * ten]) {
      sizes.push(size);
      if (size >= keys) return sizes;
    }
  }
}
