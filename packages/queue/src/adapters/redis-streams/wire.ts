import type { DeadLetter } from '../../dead-letters.ts';
import type { Job, OutgoingMessage } from '../../driver.ts';
import { binary, json } from '../../messages/envelope.ts';

/** The fields of an entry: names and values in turns. */
export type RawFields = readonly Buffer[];
export type RawEntry = readonly [entry: Buffer, fields: RawFields];
/** As the script for fetching answers. */
export type RawFetched = readonly [isRetry: number, count: number, entry: RawEntry];

/** A message as a fetch hands it out. */
export class Fetched {
  /** Whether it is from the stream of retries. */
  readonly isRetry: boolean;
  readonly entry: string;
  /** How often Redis has delivered this entry. */
  readonly count: number;
  /** When it arrived, by the clock of this process. */
  readonly receivedAt: number;
  body: Uint8Array = nothing;
  key: string | undefined;
  /** Deliveries and failures before this entry was made. */
  deliveries = 0;
  failures = 0;
  expires = false;
  /** Of its field; undefined when something else has written it. */
  #name: Buffer | undefined;
  #id: string | undefined;
  #content: Buffer = noContent;
  #headersEnd = lengthSize;
  #headers: Readonly<Record<string, string>> | undefined;

  constructor(isRetry: boolean, count: number, [entry, fields]: RawEntry, receivedAt: number) {
    this.isRetry = isRetry;
    this.count = count;
    this.receivedAt = receivedAt;
    this.entry = entry.toString('latin1');
    const [name, content] = fields;
    const isOurs = name?.[0] === colon;
    if (isOurs) {
      this.#name = name;
      this.#content = content!;
      this.#headersEnd = headersEndOf(content!);
      this.body = content!.subarray(this.#headersEnd);
    }
    for (let at = isOurs ? 2 : 0; at + 1 < fields.length; at += 2) this.#read(fields[at]!, fields[at + 1]!);
  }

  /** Its entry, unlike every other of both streams. */
  get ref(): string {
    return this.isRetry ? `r${this.entry}` : this.entry;
  }

  get id(): string {
    this.#id ??= this.#name?.toString('utf8', 1) ?? this.entry;
    return this.#id;
  }

  /** Read when they are asked for. */
  get headers(): Readonly<Record<string, string>> {
    this.#headers ??= headersOf(this.#content, this.#headersEnd);
    return this.#headers;
  }

  get contentType(): string | undefined {
    return contentTypes[this.#content[0]! >> kindShift];
  }

  #read(name: Buffer, value: Buffer): void {
    if (name.length !== 1) return;
    switch (name[0]) {
      case 0x6b: // k
        this.key = value.toString();
        break;
      case 0x6e: // n
        this.deliveries = Number(value);
        break;
      case 0x66: // f
        this.failures = Number(value);
        break;
      case 0x78: // x
        this.expires = true;
    }
  }
}

const nothing = new Uint8Array();
/** Begins the name of the field of a message. */
const colon = 0x3a;

/**
 * Content is headers as JSON, after their length in bytes, and the body: one value costs both sides less than two. The upper
 * two bits of the length say which content type is among the headers, so that most messages are handled without reading them.
 */
const lengthSize = 4;
const noContent = Buffer.from('\0\0\0\x02{}');
const contentTypes: readonly (string | undefined)[] = [undefined, json, binary];
/** Within the first byte. */
const kindShift = 6;
const lengthMask = 2 ** 30 - 1;

function contentOf({ headers, body }: OutgoingMessage): Buffer {
  const text = JSON.stringify(headers);
  const length = Buffer.byteLength(text);
  const kind = Math.max(0, contentTypes.indexOf(headers['content-type']));
  const content = Buffer.allocUnsafe(lengthSize + length + body.byteLength);
  content.writeUInt32BE(length, 0);
  content[0]! |= kind << kindShift;
  content.write(text, lengthSize);
  content.set(body, lengthSize + length);
  return content;
}

function headersEndOf(content: Buffer): number {
  return content.length < lengthSize ? content.length : lengthSize + (content.readUInt32BE(0) & lengthMask);
}

export function bytesIn({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

export function outgoing(message: OutgoingMessage): (string | number | Buffer)[] {
  const { id, key = '', delayMs = 0, expiresInMs } = message;
  const expiry = expiresInMs === undefined ? '' : Math.ceil(expiresInMs);
  return [id, contentOf(message), key, Math.ceil(delayMs), expiry];
}

/** As the arguments of the script that deduplicates. */
export function outgoingOnce(message: OutgoingMessage): (string | number | Buffer)[] {
  const deduplication = message.deduplication!;
  const ms = deduplication.mode === 'simple' ? 0 : Math.ceil(deduplication.ttlMs);
  return [...outgoing(message), deduplication.mode, deduplication.key, ms];
}

/** As the script that finds answers. */
export type RawJob = readonly [Buffer, number, number, ...(Buffer | null)[]];

export function jobOf([state, deliveries, failures, progress, result, reason]: RawJob): Job {
  return {
    state: state.toString() as Job['state'],
    deliveries,
    failures,
    ...(progress && { progress }),
    ...(result && { result }),
    ...(reason && { reason: reason.toString() }),
  };
}

export function deadLetter(topic: string, group: string, raw: RawFields): DeadLetter {
  const fields = new Map<string, Buffer>();
  for (let at = 2; at + 1 < raw.length; at += 2) fields.set(String(raw[at]), raw[at + 1]!);
  const content = raw[1] ?? noContent;
  const headersEnd = headersEndOf(content);
  return {
    id: String(raw[0]).slice(1),
    topic,
    group,
    body: content.subarray(headersEnd),
    headers: headersOf(content, headersEnd),
    key: fields.get('k')?.toString(),
    reason: String(fields.get('reason') ?? ''),
    deliveries: Number(fields.get('n') ?? 0),
    failures: Number(fields.get('f') ?? 0),
    diedAtMs: Number(fields.get('at') ?? 0),
  };
}

function headersOf(content: Buffer, end: number): Readonly<Record<string, string>> {
  try {
    return JSON.parse(content.toString('utf8', lengthSize, end)) as Record<string, string>;
  } catch {
    return {}; // Written by something else
  }
}
