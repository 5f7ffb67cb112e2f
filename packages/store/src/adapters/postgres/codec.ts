import type { Entry } from '../../store.ts';
import type { ValueRow } from './statements.ts';

/** Keys, names and holders lie in the table as their UTF-8 bytes, which have an order and may be anything. */
export function bytesOf(text: string): Buffer {
  return Buffer.from(text);
}

export function textOf(hex: string): string {
  return Buffer.from(hex, 'hex').toString();
}

/** Where the keys that begin with the prefix end: no byte of UTF-8 is 255, so the last one can grow. */
export function endOf(prefix: string): Buffer {
  if (prefix === '') return Buffer.of(255);
  const end = bytesOf(prefix);
  end[end.length - 1]! += 1;
  return end;
}

export function entryOf(key: string, { value: hex, version }: ValueRow): Entry {
  const bytes = Buffer.from(hex, 'hex');
  // a small buffer lies in memory that it shares with others
  const isAlone = bytes.byteLength === bytes.buffer.byteLength;
  return { key, value: isAlone ? new Uint8Array(bytes.buffer) : new Uint8Array(bytes), version };
}
