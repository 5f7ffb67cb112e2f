const hashes = 2 ** 32;

/** Where a hash lies on a circle around the origin: 0 is at the top, and they grow clockwise. */
export function placeOf(hash: number, radius: number): { x: number; y: number } {
  const angle = (hash / hashes) * 2 * Math.PI;
  return { x: round(radius * Math.sin(angle)), y: round(-radius * Math.cos(angle)) };
}

/** An SVG path along these ranges of hashes, both ends included. */
export function pathAlong(ranges: readonly (readonly [number, number])[], radius: number): string {
  return ranges.map(([first, last]) => arc(first, last + 1, radius)).join('');
}

function arc(start: number, end: number, radius: number): string {
  // An arc cannot end where it begins, as that of a whole circle would
  const middle = (start + end) / 2;
  return `M${at(start, radius)}${half(middle, radius)}${half(end, radius)}`;
}

function half(end: number, radius: number): string {
  return `A${radius} ${radius} 0 0 1 ${at(end, radius)}`;
}

function at(hash: number, radius: number): string {
  const { x, y } = placeOf(hash, radius);
  return `${x} ${y}`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100 + 0; // -0 becomes 0
}
