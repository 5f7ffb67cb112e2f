import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type Case, marker, requestBytes } from '../case.ts';
import { type Message, readMessage, valuesOf } from './message.ts';

/** How a response reached the client. */
export interface Received {
  /** The status lines of 1xx responses before it. */
  readonly interim: readonly string[];
  /** Undefined when there was none. */
  readonly response: Message | undefined;
  /**
   * `whole` by its framing; `ended`: all there is, framed by an orderly close; `cut`: the client sees that it is not whole, or
   * there is none; `hung`: neither came in time.
   */
  readonly end: 'whole' | 'ended' | 'cut' | 'hung';
}

/**
 * Whether the connection served another request afterwards. `failed`: the proxy says that the endpoint failed, or nothing at
 * all; `wrong`: there was another answer than the one to that request.
 */
export type Reuse = 'served' | 'closed' | 'failed' | 'wrong';

const pauseMs = 15;
/** How long a side may take that keeps its times; those of the proxies are shorter. */
export const patienceMs = 4_000;

/** One connection of a client to a proxy. */
export class Client {
  readonly #socket: Socket;
  readonly #leaveAt: number;
  #text = '';
  #at = 0;
  #closed: 'no' | 'end' | 'error' = 'no';
  #wake: () => void = () => {};

  constructor(port: number, leaveAt: number = Number.POSITIVE_INFINITY) {
    this.#leaveAt = leaveAt;
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    this.#socket.on('data', chunk => this.#take(chunk.toString('latin1')));
    // Libuv takes a reset that comes with the last bytes for an end, but then there is no peer any more
    this.#socket.on('end', () => this.#close(this.#socket.remoteAddress === undefined ? 'error' : 'end'));
    this.#socket.on('error', () => this.#close('error'));
    this.#socket.on('close', () => this.#close('end'));
  }

  get open(): boolean {
    return this.#closed === 'no';
  }

  async send(each: Case, following: string): Promise<void> {
    const { cut, pauseAt } = each;
    const bytes = requestBytes(each) + following;
    const end = cut?.at ?? bytes.length;
    if (pauseAt !== undefined && pauseAt < end) {
      this.#socket.write(bytes.slice(0, pauseAt), 'latin1');
      await delay(pauseMs);
      this.#socket.write(bytes.slice(pauseAt, end), 'latin1');
    } else {
      this.#socket.write(bytes.slice(0, end), 'latin1');
    }
    if (cut?.how === 'end') this.#socket.end();
    if (cut?.how !== 'reset') return;
    await delay(pauseMs);
    this.leave();
  }

  leave(): void {
    this.#close('error');
    this.#socket.resetAndDestroy();
  }

  async receive(method: string): Promise<Received> {
    const until = performance.now() + patienceMs;
    const interim: string[] = [];
    for (;;) {
      const response = readMessage(this.#text, this.#at, { request: false, method });
      const status = Number(response?.line.split(' ')[1]);
      if (response !== undefined && status >= 100 && status < 200 && status !== 101) {
        interim.push(response.line);
        this.#at = response.end;
        continue;
      }
      if (status === 101 && this.#closed !== 'no') {
        return { interim, response: { ...response!, body: this.#text.slice(response!.end) }, end: 'ended' };
      }
      if (response?.complete === true && status !== 101) {
        this.#at = response.end;
        return { interim, response, end: 'whole' };
      }
      if (this.#closed !== 'no') {
        const ended = this.#closed === 'end' && response?.framing === 'close';
        return { interim, response, end: ended ? 'ended' : 'cut' };
      }
      if (performance.now() > until) return { interim, response, end: 'hung' };
      await this.#news(until);
    }
  }

  /** Asks for the probe of that number on this connection, or has done so already, and says how that went. */
  async probe(number: number, sent: boolean): Promise<Reuse> {
    if (!sent && !this.open) return 'closed';
    if (!sent) this.#socket.write(probeBytes(number), 'latin1');
    const { response, end } = await this.receive('GET');
    if (response === undefined) return end === 'hung' ? 'failed' : 'closed';
    if (valuesOf(response, 'x-probe').join() === String(number)) return 'served';
    if (valuesOf(response, marker).length > 0) return 'wrong';
    // A proxy may refuse to go on
    if (/^HTTP\/1.1 4\d\d/.test(response.line)) return 'closed';
    return /^HTTP\/1.1 50\d/.test(response.line) ? 'failed' : 'wrong';
  }

  async close(): Promise<void> {
    this.#socket.destroy();
    if (!this.#socket.closed) await once(this.#socket, 'close').catch(() => {});
  }

  #take(text: string): void {
    this.#text += text;
    if (this.#text.length >= this.#leaveAt) this.leave();
    this.#wake();
  }

  #close(how: 'end' | 'error'): void {
    if (this.#closed === 'no') this.#closed = how;
    this.#wake();
  }

  async #news(until: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>(resolve => {
      this.#wake = resolve;
      timer = setTimeout(resolve, Math.max(1, until - performance.now()));
    });
    clearTimeout(timer);
  }
}

export function probeBytes(number: number): string {
  return `GET /probe-${number} HTTP/1.1\r\nHost: shop.test\r\n\r\n`;
}
