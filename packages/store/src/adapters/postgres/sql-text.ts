import type { Entry } from '../../store.ts';

/** A name as SQL takes any: `a"b` becomes `"a""b"`. */
export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** `name` or `schema.name`. */
export function quotePath(path: string): string {
  return path.split('.').map(quote).join('.');
}

export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** Keys, names and holders are in the table as their UTF-8 bytes, which have an order and may be anything. */
export function bytesOf(text: string): Buffer {
  return Buffer.from(text);
}

export function textOf(hex: string): string {
  return Buffer.from(hex, 'hex').toString();
}

/** A parameter that is compared with versions, of which none has a zero byte: PostgreSQL takes no text with one. */
export function comparable(version: string): string {
  return version.includes('\0') ? '' : version;
}

/** The end of the keys that begin with the prefix: no byte of UTF-8 is 255, so the last one can grow. */
export function endOf(prefix: string): Buffer {
  if (prefix === '') return Buffer.of(255);
  const end = bytesOf(prefix);
  end[end.length - 1]! += 1;
  return end;
}

/** @param row the hexadecimal value, and its version */
export function entryOf(key: string, row: { readonly value: string; readonly version: string }): Entry {
  const { value: hex, version } = row;
  const bytes = Buffer.from(hex, 'hex');
  // A small buffer is a part of memory that it shares with others
  const isAlone = bytes.byteLength === bytes.buffer.byteLength;
  return { key, value: isAlone ? new Uint8Array(bytes.buffer) : new Uint8Array(bytes), version };
}
