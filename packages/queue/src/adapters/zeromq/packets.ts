/** Frames of a stream, and what tells of its state. */
export interface Packet {
  readonly version: typeof packetVersion;
  /** Chosen by the client at random. */
  readonly session: string;
  /** `data` carries messages, `beat` none, `gone` says that the session is unknown. */
  readonly type: 'data' | 'beat' | 'gone';
  /** Of `data` its number, from 1; of `beat` that of the last data. */
  readonly n: number;
  /** Data has arrived up to this number. */
  readonly ack: number;
  /** Whether the rest is missing and is to be sent again. */
  readonly again?: boolean;
  readonly messages?: readonly WithParts[];
}

interface WithParts {
  readonly parts?: readonly Uint8Array[];
}

export const packetVersion = 1;

/** A message as it goes into a packet. */
export interface Encoded {
  readonly text: string;
  readonly parts: readonly Uint8Array[];
  /** What it takes of a packet, about. */
  readonly size: number;
}

export function encodeMessage({ parts = [], ...message }: WithParts): Encoded {
  const lengths = parts.map(({ byteLength }) => byteLength);
  const text = JSON.stringify(parts.length === 0 ? message : { ...message, parts: lengths });
  return { text, parts, size: lengths.reduce((sum, length) => sum + length, text.length) };
}

/** The messages as one text and one block of bytes, so that a packet of hundreds is two frames. */
export function encodePacket(
  packet: Omit<Packet, 'messages'>,
  messages: readonly Encoded[] = [],
): readonly [Buffer, Buffer] {
  const texts = messages.map(({ text }) => text).join(',');
  const head = `${JSON.stringify(packet).slice(0, -1)},"messages":[${texts}]}`;
  return [Buffer.from(head), Buffer.concat(messages.flatMap(({ parts }) => parts))];
}

/** @throws Error for what no other side of this version would send */
export function decodePacket(head: Buffer, bytes: Buffer): Packet {
  const packet = JSON.parse(head.toString()) as Packet;
  const { version, session, type, n, ack, messages = [] } = packet ?? {};
  const isWhole =
    version === packetVersion &&
    typeof session === 'string' &&
    session.length <= 64 &&
    (type === 'data' || type === 'beat' || type === 'gone') &&
    isCount(n) &&
    isCount(ack) &&
    Array.isArray(messages);
  if (!isWhole) throw new Error('malformed packet');
  let at = 0;
  const take = (length: number) => {
    if (!isCount(length) || at + length > bytes.length) throw new Error('malformed parts');
    at += length;
    return bytes.subarray(at - length, at);
  };
  const read = (messages as readonly unknown[]).map(message => {
    const { parts } = (message ?? {}) as { readonly parts?: unknown };
    return Array.isArray(parts) ? { ...(message as object), parts: parts.map(take) } : message;
  });
  if (at !== bytes.length) throw new Error('bytes that belong to no message');
  return { ...packet, messages: read as readonly WithParts[] };
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
