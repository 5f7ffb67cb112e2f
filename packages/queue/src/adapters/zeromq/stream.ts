import { type Encoded, encodeMessage, encodePacket, type Packet, packetVersion } from './packets.ts';

interface Message {
  readonly parts?: readonly Uint8Array[];
}

type Frames = readonly [Buffer, Buffer];

export interface StreamParts {
  readonly session: string;
  /** Hands frames to the socket, which may lose them; ignored while there is no connection. */
  transmit(frames: Frames): void;
  received(message: unknown): void;
}

/** Messages that go in one packet, by number and bytes. */
const maxMessages = 500;
const maxBytes = 2 ** 20;
/** Packets and bytes that are received before the other side is told without being asked, so that it can forget them. */
const packetsPerAck = 32;
const bytesPerAck = 2 ** 23;

/**
 * One side of a session: what it sends arrives once and in order, although connections break and lose packets. Each packet
 * has a number and is kept until the other side has it. Beats say what was sent last, so that a gap at the end shows as well.
 */
export class Stream {
  readonly #parts: StreamParts;
  readonly #unconfirmed = new Map<number, Frames>();
  #outgoing: Encoded[] = [];
  #outgoingBytes = 0;
  #isScheduled = false;
  #sent = 0;
  #received = 0;
  #sinceAck = 0;
  #bytesSinceAck = 0;
  #bytes = 0;
  #confirmedAt = performance.now();

  constructor(parts: StreamParts) {
    this.#parts = parts;
  }

  /** Bytes that the other side has not confirmed. */
  get unconfirmedBytes(): number {
    return this.#bytes;
  }

  /** When the other side said last that it has more than before, or all, by `performance.now()`. */
  get confirmedAt(): number {
    return this.#confirmedAt;
  }

  /** What is sent in one turn of the event loop goes together. */
  send(message: Message): void {
    const encoded = encodeMessage(message);
    if (this.#outgoingBytes + encoded.size > maxBytes) this.flush();
    this.#outgoing.push(encoded);
    this.#outgoingBytes += encoded.size;
    if (this.#outgoing.length >= maxMessages || this.#outgoingBytes >= maxBytes) this.flush();
    else if (!this.#isScheduled) {
      this.#isScheduled = true;
      setImmediate(() => this.flush());
    }
  }

  flush(): void {
    this.#isScheduled = false;
    if (this.#outgoing.length === 0) return;
    const messages = this.#outgoing;
    this.#outgoing = [];
    this.#outgoingBytes = 0;
    const frames = encodePacket({ ...this.#packet('data'), n: ++this.#sent }, messages);
    this.#unconfirmed.set(this.#sent, frames);
    this.#bytes += frames[0].length + frames[1].length;
    this.#acknowledged();
    this.#parts.transmit(frames);
  }

  beat(again = false): void {
    this.#acknowledged();
    this.#parts.transmit(encodePacket({ ...this.#packet('beat'), ...(again && { again }) }));
  }

  /** Sends again what the other side has not confirmed: after a reconnect, and when it asks. */
  resend(): void {
    for (const frames of this.#unconfirmed.values()) this.#parts.transmit(frames);
  }

  /** @returns whether the packet fits the stream; else it is of an earlier connection, or forged */
  receive({ type, n, ack, again = false, messages = [] }: Packet): boolean {
    if (ack > this.#sent) return false;
    this.#confirm(ack);
    if (again) this.resend();
    if (type === 'beat') {
      if (n > this.#received) this.beat(true);
      return true;
    }
    if (n > this.#received + 1) this.beat(true);
    if (n !== this.#received + 1) return true;
    this.#received = n;
    this.#sinceAck++;
    for (const message of messages) {
      for (const { byteLength } of message?.parts ?? []) this.#bytesSinceAck += byteLength;
      this.#parts.received(message);
    }
    if (this.#sinceAck >= packetsPerAck || this.#bytesSinceAck >= bytesPerAck) this.beat();
    return true;
  }

  /** Whatever is sent says what was received. */
  #acknowledged(): void {
    this.#sinceAck = 0;
    this.#bytesSinceAck = 0;
  }

  #packet(type: 'data' | 'beat'): Packet {
    const { session } = this.#parts;
    return { version: packetVersion, session, type, n: this.#sent, ack: this.#received };
  }

  #confirm(upTo: number): void {
    const before = this.#unconfirmed.size;
    for (const [n, [head, bytes]] of this.#unconfirmed) {
      if (n > upTo) break;
      this.#unconfirmed.delete(n);
      this.#bytes -= head.length + bytes.length;
    }
    const { size } = this.#unconfirmed;
    if (size === 0 || size < before) this.#confirmedAt = performance.now();
  }
}
