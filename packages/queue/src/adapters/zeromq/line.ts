import { randomUUID } from 'node:crypto';
import { refused } from '@ashlar/core';
import type { ChannelEvents } from '../../remote/connection.ts';
import type { Channel, ClientMessage, ServerMessage } from '../../remote/protocol.ts';
import { decodePacket } from './packets.ts';
import { closedAtExit, isIpv6, Writer, zeromqLibrary } from './socket.ts';
import { Stream } from './stream.ts';

export interface LineSettings {
  /** Endpoints of one broker, the nearest first. */
  readonly endpoint: string;
  /** Options of the socket of zeromq.js. */
  readonly socket: Readonly<Record<string, unknown>>;
  readonly beatMs: number;
}

/** How an endpoint looks. */
export const endpointAdvice = 'write `tcp://127.0.0.1:5555` or `ipc:///run/queue.sock`';

/** How many beats the broker may leave unanswered before the connection is made anew. */
const patience = 3;

type Dealer = import('zeromq').Dealer;

interface Session {
  readonly id: string;
  readonly stream: Stream;
  readonly events: ChannelEvents;
  /** Whether the broker has answered. */
  isKnown: boolean;
}

/** The connection of a client to its broker, for one session after the other. Lazy Pirate: a socket that stays silent is replaced. */
export class Line {
  readonly #settings: LineSettings;
  readonly #timer: ReturnType<typeof setInterval>;
  #dealer: Dealer;
  #writer: Writer;
  #closeDealer: () => void;
  #isConnected = false;
  #heardAt = 0;
  #beatAt = performance.now();
  #session: Session | undefined;
  /** Why there is no connection, when somebody is there who does not speak as a broker of ours. */
  trouble: Error | undefined;

  /** @throws InvalidOptionError for what is no endpoint */
  constructor(settings: LineSettings) {
    this.#settings = settings;
    [this.#dealer, this.#writer, this.#closeDealer] = this.#connect();
    this.#timer = setInterval(() => this.#beat(), settings.beatMs);
    this.#timer.unref();
  }

  /** Begins a session, in place of that before. */
  open(events: ChannelEvents): Channel<ClientMessage> {
    const id = randomUUID();
    const stream = new Stream({
      session: id,
      transmit: frames => {
        if (this.#isConnected && this.#session?.id === id) this.#writer.write(frames);
      },
      received: message => events.received(message as ServerMessage),
    });
    this.#session = { id, stream, events, isKnown: false };
    return { send: message => stream.send(message), close: () => this.#close() };
  }

  #close(): void {
    clearInterval(this.#timer);
    this.#session = undefined;
    this.#isConnected = false;
    this.#closeDealer();
  }

  #connect(): [Dealer, Writer, close: () => void] {
    const { endpoint, socket, beatMs } = this.#settings;
    const dealer: Dealer = new (zeromqLibrary().Dealer)({
      linger: 0,
      // What may be on its way is bounded by bytes, in the driver
      sendHighWaterMark: 0,
      reconnectInterval: 100,
      reconnectMaxInterval: 1_000,
      handshakeInterval: patience * beatMs,
      heartbeatInterval: beatMs,
      heartbeatTimeout: patience * beatMs,
      ipv6: isIpv6(endpoint),
      ...socket,
    });
    const writer = new Writer(frames => dealer.send([...frames]));
    const isCurrent = () => this.#dealer === dealer;
    dealer.events.on('handshake', () => {
      if (isCurrent()) this.#connected();
    });
    dealer.events.on('disconnect', () => {
      if (isCurrent()) this.#isConnected = false;
    });
    for (const name of ['protocol', 'auth', 'other'] as const) {
      dealer.events.on(`handshake:error:${name}`, ({ error }) => {
        const words = `what listens at ${endpoint} does not accept the connection (${error.message})`;
        if (isCurrent()) this.trouble = new Error(`${words}; is it a broker, with the same keys?`);
      });
    }
    const close = closedAtExit(
      () => dealer.close(),
      () => {
        dealer.events.close();
        dealer.close();
      },
    );
    try {
      dealer.connect(endpoint);
    } catch (error) {
      close();
      throw refused('connect', `an endpoint (${(error as Error).message})`, endpoint, endpointAdvice);
    }
    void this.#read(dealer);
    return [dealer, writer, close];
  }

  async #read(dealer: Dealer): Promise<void> {
    try {
      for await (const [head, bytes] of dealer) {
        if (this.#dealer !== dealer) return;
        if (head !== undefined && bytes !== undefined) this.#receive(head, bytes);
      }
    } catch {
      // It was closed
    }
  }

  #receive(head: Buffer, bytes: Buffer): void {
    try {
      const packet = decodePacket(head, bytes);
      const session = this.#session;
      if (packet.session !== session?.id) return;
      this.#heardAt = performance.now();
      session.isKnown = true;
      if (packet.type === 'gone') session.events.ended(new Error('it has forgotten the session'));
      else session.stream.receive(packet);
    } catch {
      // It is no broker of this version, and stays silent to us
    }
  }

  #connected(): void {
    this.#isConnected = true;
    this.trouble = undefined;
    this.#heardAt = performance.now();
    const stream = this.#session?.stream;
    stream?.flush();
    stream?.resend();
  }

  #beat(): void {
    const { beatMs } = this.#settings;
    const now = performance.now();
    const stoodStill = now - this.#beatAt > 2 * beatMs;
    this.#beatAt = now;
    const session = this.#session;
    if (session === undefined) return;
    const isSilent = !stoodStill && now - this.#heardAt > patience * beatMs;
    // After some errors of the handshake, the socket does not try again
    if (isSilent && (this.#isConnected || this.trouble !== undefined)) this.#reconnect();
    if (this.#isConnected) session.stream.beat();
    // The broker has given it up as well
    else if (isSilent && session.isKnown) session.events.ended(new Error('it is silent'));
  }

  #reconnect(): void {
    this.#isConnected = false;
    this.#closeDealer();
    [this.#dealer, this.#writer, this.#closeDealer] = this.#connect();
    this.#heardAt = performance.now();
  }
}
