import type { Socket } from 'node:net';
import { type buildConnector, Client, type Dispatcher, errors } from '#undici';
import { readBeforeBroken, seeResets } from './resets.ts';
import { sent } from './sent.ts';

/** What a request leaves behind in its options: the connection that it goes out on. */
export interface Placed {
  connection?: Connection;
}

export interface ConnectionOptions extends Client.Options {
  readonly connect: buildConnector.connector;
  readonly maxHeaderSize: number;
}

interface Opened {
  socket: Socket | undefined;
  heads: Heads | undefined;
  isFresh: boolean;
}

/**
 * One connection to an endpoint, made anew when it was closed. Its bytes are prepared for undici's parser, which takes a 100
 * that nobody asked for as a failure, keeps only the last piece of a reason phrase, and takes a reset for the end of a
 * body that lasts until the connection closes.
 */
export class Connection extends Client {
  readonly #opened: Opened;

  constructor(origin: string | URL, { connect, ...options }: ConnectionOptions) {
    const opened: Opened = { socket: undefined, heads: undefined, isFresh: false };
    super(origin, {
      ...options,
      connect: (target, callback) =>
        connect(target, (error, socket) => {
          if (error !== null) return callback(error, null);
          opened.socket = socket!;
          opened.heads = new Heads(socket!, options.maxHeaderSize);
          opened.isFresh = true;
          seeResets(socket!);
          readBeforeBroken(socket!);
          hideResets(socket!, opened.heads);
          callback(null, socket!);
        }),
    });
    this.#opened = opened;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    (options as Placed).connection = this;
    return super.dispatch(options, handler);
  }

  /** A request goes out now. Returns whether it is the first one. */
  begin(): boolean {
    const { isFresh } = this.#opened;
    this.#opened.isFresh = false;
    this.#opened.heads?.expect();
    return isFresh;
  }

  /** How far the bytes of the request have come, as `sent` gives it. */
  sent(maxAgeMs: number): Promise<string> {
    return sent(this.#opened.socket!, maxAgeMs);
  }
}

/** A reset within a response is no end of it; undici looks at the code of the error. */
function hideResets(socket: Socket, heads: Heads): void {
  // Both before those of undici
  socket.on('error', error => {
    const failure = error as NodeJS.ErrnoException;
    if (failure.code !== 'ECONNRESET' || heads.expected) return;
    failure.code = 'UND_ERR_SOCKET';
    socket.once('close', () => {
      failure.code = 'ECONNRESET';
    });
  });
}

/** Reads the heads of responses before undici does: drops each 100, and hands on status lines in one piece. */
class Heads {
  /** Whether the head of a response comes next; everything else passes unseen. */
  expected = false;
  readonly #socket: Socket;
  readonly #read: () => Buffer | null;
  readonly #maxBytes: number;
  /** What is not handed on yet. */
  #held: Buffer = nothing;

  constructor(socket: Socket, maxBytes: number) {
    this.#socket = socket;
    this.#maxBytes = maxBytes;
    const { read } = socket;
    this.#read = () => read.call(socket) as Buffer | null;
    socket.read = size => (this.expected && size !== 0 ? this.#next() : read.call(socket, size));
  }

  expect(): void {
    this.expected = true;
    this.#held = nothing;
  }

  #next(): Buffer | null {
    for (;;) {
      const ready = this.#ready();
      if (ready !== undefined) return ready;
      const chunk = this.#read();
      if (chunk === null) return null;
      this.#hold(chunk);
    }
  }

  #hold(chunk: Buffer): void {
    const held = this.#held;
    if (held.length === 0) this.#held = chunk;
    else if (held.length < longestLine || held.includes(feed)) this.#held = Buffer.concat([held, chunk]);
    else if (chunk.includes(feed)) {
      const rest = chunk.subarray(chunk.indexOf(feed));
      this.#held = Buffer.concat([held.subarray(0, longestLine - 1), carriageReturn, rest]);
    }
  }

  /** What of the held bytes can be handed on; `undefined` while more must come first. */
  #ready(): Buffer | undefined {
    const bytes = this.#held;
    if (!bytes.includes(feed)) {
      if (!mayBeHttp(bytes)) return this.#pass();
      this.#held = bytes.subarray(0, longestLine);
      return undefined;
    }
    // No interim response is a 101, which ends HTTP
    const status = bytes[9] === one ? bytes.toString('latin1', 9, 13).trimEnd() : '';
    if (status === '' || status === '101') return this.#pass();
    const end = bytes.indexOf('\r\n\r\n') + 4;
    if (end < 4) {
      if (bytes.length > this.#maxBytes) this.#socket.destroy(new errors.HeadersOverflowError());
      return undefined;
    }
    this.#held = bytes.subarray(end);
    return status === '100' ? this.#ready() : bytes.subarray(0, end);
  }

  /** The rest is for undici alone, until the next request. */
  #pass(): Buffer {
    const bytes = this.#held;
    this.#held = nothing;
    this.expected = false;
    return bytes;
  }
}

/** Of a longer status line the rest is dropped: its reason phrase is too long to be sent on. */
const longestLine = 512;
const nothing: Buffer = Buffer.alloc(0);
const carriageReturn: Buffer = Buffer.from('\r');
const feed = 0x0a;
const one = 0x31;

function mayBeHttp(bytes: Buffer): boolean {
  const begun = bytes.toString('latin1', 0, 'HTTP/1.'.length);
  return 'HTTP/1.'.startsWith(begun);
}
