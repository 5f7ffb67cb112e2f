import type { MsgHdrs } from '@nats-io/transport-node';
import { headers as emptyHeaders } from '#nats';
import type { OutgoingMessage } from '../../driver.ts';
import type { Fields } from './raw-headers.ts';

/** Our own headers; those of the message are between them, as they are. */
const own = {
  id: 'ashlar-id',
  key: 'ashlar-key',
  /** Milliseconds after the time of the stored message. */
  delay: 'ashlar-delay',
  lifetime: 'ashlar-lifetime',
  /** Milliseconds since the epoch. */
  dueAt: 'ashlar-due-at',
  expiresAt: 'ashlar-expires-at',
  deliveries: 'ashlar-deliveries',
  failures: 'ashlar-failures',
  reason: 'ashlar-reason',
} as const;
/** JetStream stores one message with it within the window of the stream. */
const messageId = 'Nats-Msg-Id';
/** Whole seconds after which JetStream removes a message. */
const lifetimeHeader = 'Nats-TTL';
/** Further off, and the server's nanoseconds may not hold the time. */
const maxSeconds = 3_155_760_000;

/** What a stored message says, also one that other code has published. */
export class Stored {
  readonly body: Uint8Array;
  readonly #fields: Fields;
  readonly #storedAt: number;
  readonly #orElse: string;
  #headers: Readonly<Record<string, string>> | undefined;

  /**
   * @param storedAt milliseconds since the epoch, by the server's clock
   * @param orElse the id of one that has none
   */
  constructor(fields: Fields, body: Uint8Array, storedAt: number, orElse: string) {
    this.#fields = fields;
    this.body = body;
    this.#storedAt = storedAt;
    this.#orElse = orElse;
  }

  get id(): string {
    return this.#text(own.id) ?? this.#orElse;
  }

  get key(): string | undefined {
    return this.#text(own.key);
  }

  get contentType(): string | undefined {
    return this.#text('content-type');
  }

  get headers(): Readonly<Record<string, string>> {
    this.#headers ??= Object.fromEntries(
      [...this.#fields]
        .filter(([name]) => !name.startsWith('ashlar-') && !name.startsWith('Nats-'))
        .map(([name, value]) => [name, decode(value)]),
    );
    return this.#headers;
  }

  /** Counts before this copy of the message was stored. */
  get deliveries(): number {
    return this.#number(own.deliveries) ?? 0;
  }

  get failures(): number {
    return this.#number(own.failures) ?? 0;
  }

  /** A new one was published with a delay. */
  get isHeldBack(): boolean {
    return this.#fields.has(own.delay);
  }

  /** Milliseconds since the epoch by the server's clock, as are the others. */
  get dueAt(): number {
    return this.#number(own.dueAt) ?? this.#storedAt + (this.#number(own.delay) ?? 0);
  }

  get expiresAt(): number {
    return this.#number(own.expiresAt) ?? this.#storedAt + (this.#number(own.lifetime) ?? Infinity);
  }

  get reason(): string {
    return this.#text(own.reason) ?? '';
  }

  /** When this copy was stored. */
  get storedAt(): number {
    return this.#storedAt;
  }

  #text(name: string): string | undefined {
    const value = this.#fields.get(name);
    return value === undefined ? undefined : decode(value);
  }

  #number(name: string): number | undefined {
    const value = this.#fields.get(name);
    return value === undefined ? undefined : Number(value);
  }
}

/** What JetStream says of a delivery, in the subject for its answer. */
export interface Receipt {
  readonly stream: string;
  readonly consumer: string;
  readonly deliveries: number;
  /** In its stream. */
  readonly sequence: number;
  /** When it was stored, in milliseconds since the epoch by the server's clock. */
  readonly storedAt: number;
}

/** `$JS.ACK.<stream>.<consumer>.<deliveries>.<sequence>.<of the consumer>.<nanoseconds>.<behind it>`, or with a domain and an account. */
export function receiptOf(reply: string): Receipt {
  const parts = reply.split('.');
  const from = parts.length > 9 ? 4 : 2;
  const [stream, consumer, deliveries, sequence, , nanoseconds] = parts.slice(from) as string[];
  return {
    stream: stream!,
    consumer: consumer!,
    deliveries: Number(deliveries),
    sequence: Number(sequence),
    storedAt: Number(nanoseconds) / 1e6,
  };
}

/** @param removesExpired the server does, later than consumers look at its time */
export function headersOf(message: OutgoingMessage, removesExpired: boolean): MsgHdrs {
  const { id, key, headers, delayMs, expiresInMs } = message;
  const head = withHeaders(id, key, headers);
  put(head, messageId, encode(id));
  if (delayMs !== undefined && delayMs > 0) put(head, own.delay, String(delayMs));
  if (expiresInMs !== undefined && Number.isFinite(expiresInMs)) {
    put(head, own.lifetime, String(expiresInMs));
    const seconds = Math.max(1, Math.ceil(expiresInMs / 1_000));
    if (removesExpired && seconds <= maxSeconds) put(head, lifetimeHeader, String(seconds));
  }
  return head;
}

/** Of what the server takes, left for what headers say when a message is stored again. */
export const reservedBytes = 1_024;

/** What headers take in a packet. */
export function headerBytes(head: MsgHdrs): number {
  let bytes = 'NATS/1.0\r\n\r\n'.length;
  for (const name of head.keys()) {
    for (const value of head.values(name)) bytes += name.length + value.length + ': \r\n'.length;
  }
  return bytes;
}

/** For a message that is stored again for one group. `once`: names this change, so that it is made once. */
export function headersAgain(
  { id, key, headers, expiresAt }: Pick<Stored, 'id' | 'key' | 'headers' | 'expiresAt'>,
  again: {
    readonly once: string;
    readonly deliveries: number;
    readonly failures: number;
    /** Milliseconds after the server has stored it, or the time by the server's clock. */
    readonly delayMs?: number;
    readonly dueAt?: number;
  },
): MsgHdrs {
  const head = withHeaders(id, key, headers);
  put(head, messageId, again.once);
  put(head, own.deliveries, String(again.deliveries));
  put(head, own.failures, String(again.failures));
  if (again.delayMs !== undefined) put(head, own.delay, String(again.delayMs));
  if (again.dueAt !== undefined) put(head, own.dueAt, String(again.dueAt));
  if (Number.isFinite(expiresAt)) put(head, own.expiresAt, String(expiresAt));
  return head;
}

export function headersOfDead(
  { id, key, headers }: Pick<Stored, 'id' | 'key' | 'headers'>,
  dead: {
    readonly once: string;
    readonly deliveries: number;
    readonly failures: number;
    readonly reason: string;
  },
): MsgHdrs {
  const head = withHeaders(id, key, headers);
  put(head, messageId, dead.once);
  put(head, own.deliveries, String(dead.deliveries));
  put(head, own.failures, String(dead.failures));
  put(head, own.reason, shortened(encode(dead.reason)));
  return head;
}

function withHeaders(
  id: string,
  key: string | undefined,
  headers: Readonly<Record<string, string>>,
): MsgHdrs {
  const head = emptyHeaders();
  for (const [name, value] of Object.entries(headers)) put(head, name, encode(value));
  put(head, own.id, encode(id));
  if (key !== undefined) put(head, own.key, encode(key));
  return head;
}

/** What nats-core keeps, and its types leave out: what it does besides for each costs as much as sending a message. */
function put(head: MsgHdrs, name: string, encoded: string): void {
  const { headers } = head as unknown as { readonly headers?: unknown };
  if (headers instanceof Map && /^[a-z][a-z0-9-]*$/i.test(name)) headers.set(name, [encoded]);
  else head.set(name, encoded);
}

/** Headers of NATS are lines of text: what is not printable ASCII is percent-encoded, as CloudEvents do it over HTTP. */
function encode(text: string): string {
  return /^[!-$&-~]*$/.test(text)
    ? text
    : text.replace(/[^!-$&-~]+/g, part =>
        [...Buffer.from(part)].map(byte => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
      );
}

/** So that it fits beside the largest message. */
function shortened(encoded: string): string {
  const most = reservedBytes / 2;
  return encoded.length <= most ? encoded : encoded.slice(0, most).replace(/%.?$/, '');
}

function decode(text: string): string {
  try {
    return text.includes('%') ? decodeURIComponent(text) : text;
  } catch {
    return text; // Not by our encoding
  }
}
