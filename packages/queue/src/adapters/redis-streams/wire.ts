import type { DeadLetter } from '../../dead-letters.ts';
import type { OutgoingMessage } from '../../driver.ts';

/** A message as a fetch hands it out. */
export interface Fetched {
  /** Whether it is from the stream of retries. */
  readonly isRetry: boolean;
  readonly entry: string;
  /** How often Redis has delivered this entry. */
  readonly count: number;
  readonly id: string;
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  readonly key: string | undefined;
  /** Deliveries and failures before this entry was made. */
  readonly deliveries: number;
  readonly failures: number;
}

/** The fields of an entry: names and values in turns. */
export type RawFields = readonly Buffer[];
/** As the script for fetching answers. */
export type RawFetched = readonly [number, Buffer, number, Buffer, Buffer, Buffer, Buffer, number, number];

export function outgoing(message: OutgoingMessage): (string | number | Buffer)[] {
  const { id, headers, body, key = '', delayMs = 0, expiresInMs } = message;
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const expiry = expiresInMs === undefined ? '' : Math.ceil(expiresInMs);
  return [id, JSON.stringify(headers), bytes, key, Math.ceil(delayMs), expiry];
}

export function fetched([
  flag,
  entry,
  count,
  id,
  headers,
  body,
  key,
  deliveries,
  failures,
]: RawFetched): Fetched {
  return {
    isRetry: flag === 1,
    entry: entry.toString('latin1'),
    count,
    id: id.toString(),
    body,
    headers: headersOf(headers),
    key: key.length === 0 ? undefined : key.toString(),
    deliveries,
    failures,
  };
}

/** A new entry, as a read of the stream answers. */
export function fetchedNew(isRetry: boolean, entry: Buffer, raw: RawFields): Fetched {
  const { n, f, ...message } = fieldsOf(raw);
  return { isRetry, entry: entry.toString('latin1'), count: 1, ...message, deliveries: n, failures: f };
}

export function deadLetter(topic: string, group: string, raw: RawFields): DeadLetter {
  const { n, f, reason, at, ...message } = fieldsOf(raw);
  return { ...message, topic, group, reason, deliveries: n, failures: f, diedAtMs: at };
}

function fieldsOf(raw: RawFields) {
  const entries: Record<string, Buffer | undefined> = {};
  for (let at = 0; at < raw.length; at += 2) entries[String(raw[at])] = raw[at + 1];
  const { i, h, b, k, n, f, reason, at } = entries;
  return {
    id: String(i),
    body: b ?? new Uint8Array(),
    headers: headersOf(h),
    key: k === undefined ? undefined : String(k),
    n: Number(n ?? 0),
    f: Number(f ?? 0),
    reason: String(reason ?? ''),
    at: Number(at ?? 0),
  };
}

function headersOf(json: Buffer | undefined): Readonly<Record<string, string>> {
  try {
    return JSON.parse(String(json)) as Record<string, string>;
  } catch {
    return {}; // Written by something else
  }
}
