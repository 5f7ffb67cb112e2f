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

export type RawFields = readonly Buffer[];
export type RawFetched = readonly [number, Buffer, number, RawFields];

export function outgoing(message: OutgoingMessage): (string | number | Buffer)[] {
  const { id, headers, body, key = '', delayMs = 0, expiresInMs } = message;
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  return [
    id,
    JSON.stringify(headers),
    bytes,
    key,
    Math.ceil(delayMs),
    expiresInMs === undefined ? '' : Math.ceil(expiresInMs),
  ];
}

export function fetched([flag, entry, count, raw]: RawFetched): Fetched {
  const message = messageOf(raw);
  return { isRetry: flag === 1, entry: String(entry), count: Number(count), ...message };
}

export function deadLetter(topic: string, group: string, raw: RawFields): DeadLetter {
  const { entries, ...message } = messageOf(raw);
  return {
    ...message,
    topic,
    group,
    reason: String(entries['reason'] ?? ''),
    diedAtMs: Number(entries['at']),
  };
}

function messageOf(raw: RawFields) {
  const entries: Record<string, Buffer | undefined> = {};
  for (let at = 0; at < raw.length; at += 2) entries[String(raw[at])] = raw[at + 1];
  const { i, h, b, k, n, f } = entries;
  return {
    id: String(i),
    body: b ?? new Uint8Array(),
    headers: headersOf(h),
    key: k === undefined ? undefined : String(k),
    deliveries: Number(n ?? 0),
    failures: Number(f ?? 0),
    entries,
  };
}

function headersOf(json: Buffer | undefined): Readonly<Record<string, string>> {
  try {
    return JSON.parse(String(json)) as Record<string, string>;
  } catch {
    return {}; // Written by something else
  }
}
