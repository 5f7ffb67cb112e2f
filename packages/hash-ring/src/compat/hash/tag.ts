import { reader } from './key.ts';

/** Leaves of the key that was read what is between the first opening byte and the next closing one, if anything is. */
export function narrowToTag(opening: number, closing: number): void {
  const { bytes, length } = reader;
  const start = indexOf(bytes, opening, 0, length) + 1;
  if (start === 0) return;
  const end = indexOf(bytes, closing, start, length);
  if (end > start) reader.narrow(start, end);
}

/** -1 if the byte is not there. */
function indexOf(bytes: Uint8Array, byte: number, start: number, end: number): number {
  for (let i = start; i < end; i++) if (bytes[i] === byte) return i;
  return -1;
}
