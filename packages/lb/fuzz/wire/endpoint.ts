import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type Answer, answerBytes } from '../case.ts';
import { type Message, readMessage } from './message.ts';

/** What one connection to the endpoint brought. */
export interface Heard {
  /** Whole requests, in order. */
  readonly requests: readonly Message[];
  /** Bytes that are no whole request, or came after the switch to another protocol. */
  readonly rest: string;
}

const pauseMs = 15;

/** A server of bytes: keeps what reaches it, answers as the case of the moment says, and probes by their number. */
export class RecordingEndpoint {
  readonly #server: Server = createServer({ noDelay: true }, socket => this.#accept(socket));
  readonly #connections = new Set<Connection>();
  #closed: Heard[] = [];
  #answer: Answer | undefined;
  port = 0;

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.port = (this.#server.address() as AddressInfo).port;
  }

  begin(answer: Answer): void {
    this.#answer = answer;
    this.#closed = [];
    for (const connection of this.#connections) connection.forget();
  }

  /** What has come since `begin`. */
  heard(): Heard[] {
    return [...this.#closed, ...[...this.#connections].map(connection => connection.heard())].filter(
      ({ requests, rest }) => requests.length > 0 || rest !== '',
    );
  }

  /** Ends all connections, so that what is left on them reaches no other case. */
  reset(): void {
    for (const { socket } of this.#connections) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    this.reset();
    if (this.#server.listening) await new Promise(resolve => this.#server.close(resolve));
  }

  #accept(socket: Socket): void {
    const connection = new Connection(socket, () => this.#answer);
    this.#connections.add(connection);
    socket.on('close', () => {
      this.#connections.delete(connection);
      this.#closed.push(connection.heard());
    });
  }
}

class Connection {
  readonly socket: Socket;
  readonly #answerNow: () => Answer | undefined;
  #text = '';
  #at = 0;
  #requests: Message[] = [];
  /** The request at `#at` has its answer already. */
  #answered = false;
  /** What is being sent; nothing is answered meanwhile. */
  #sending = false;
  #switched = false;

  constructor(socket: Socket, answerNow: () => Answer | undefined) {
    this.socket = socket;
    this.#answerNow = answerNow;
    socket.on('error', () => {});
    socket.on('data', chunk => {
      this.#text += chunk.toString('latin1');
      this.#read();
    });
  }

  forget(): void {
    this.#requests = [];
    this.#text = this.#text.slice(this.#at);
    this.#at = 0;
  }

  heard(): Heard {
    return { requests: this.#requests, rest: this.#text.slice(this.#at) };
  }

  #read(): void {
    while (!this.#switched && !this.#sending) {
      const message = readMessage(this.#text, this.#at, { request: true });
      if (message === undefined) return;
      const due = message.complete || this.#answerNow()?.when === 'head';
      if (due && !this.#answered) {
        this.#answered = true;
        void this.#respond(message);
      }
      if (!message.complete) return;
      this.#requests.push(message);
      this.#at = message.end;
      this.#answered = false;
    }
  }

  async #respond({ line }: Message): Promise<void> {
    const probe = /\/probe-(\d+)/.exec(line);
    const answer = this.#answerNow();
    if (probe !== null) {
      this.socket.write(`HTTP/1.1 200 OK\r\nX-Probe: ${probe[1]}\r\nContent-Length: 0\r\n\r\n`);
    } else if (answer !== undefined && answer.when !== 'never') {
      this.#sending = true;
      await this.#send(answer);
      this.#sending = false;
      this.#read();
    }
  }

  async #send(answer: Answer): Promise<void> {
    const { cut, pauseAt, after } = answer;
    const bytes = answerBytes(answer);
    const end = cut?.at ?? bytes.length;
    if (/^HTTP\/1.1 101/.test(answer.head[0]!)) this.#switched = true;
    if (pauseAt !== undefined && pauseAt < end) {
      this.socket.write(bytes.slice(0, pauseAt), 'latin1');
      await delay(pauseMs);
    }
    this.socket.write(bytes.slice(pauseAt !== undefined && pauseAt < end ? pauseAt : 0, end), 'latin1');
    const how = cut?.how ?? after;
    if (how === 'keep') return;
    // A reset takes what is not yet read with it
    if (how === 'reset') await delay(pauseMs);
    if (how === 'end') this.socket.end();
    else this.socket.resetAndDestroy();
  }
}
