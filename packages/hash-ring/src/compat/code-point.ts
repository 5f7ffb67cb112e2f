/** Compares by code point, which is the order of the UTF-8 bytes. */
export function byCodePoint(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [inA, inB] = [a.codePointAt(i)!, b.codePointAt(i)!];
    if (inA !== inB) return inA - inB;
  }
  return a.length - b.length;
}
