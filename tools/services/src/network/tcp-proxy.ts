import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { reset } from './reset.ts';

/** A way between a client and a server that can be disturbed. It begins undisturbed. */
export interface TcpProxy extends AsyncDisposable {
  /** Where it listens on 127.0.0.1; the same until `stop`. */
  readonly port: number;
  /** How many clients are connected through it. */
  readonly connections: number;
  /**
   * A black hole: from now on nothing passes, neither bytes nor the news that one side has gone. New clients are
   * accepted and hear nothing. What was on its way is not lost.
   *
   * @param which `present`: only the connections of the moment; new ones pass
   */
  stall(which?: 'all' | 'present'): void;
  /**
   * From now on no answer passes, of no connection, while servers hear what clients say. What is held back is not lost
   * before a `cut`: then the server has done what its clients never hear of.
   */
  hush(): void;
  /** Ends `stall` and `hush`: what was held back goes on, in order. */
  resume(): void;
  /** Everything that passes takes this much longer, each way. 0 ends it. */
  delay(ms: number): void;
  /** Resets all connections of the moment. */
  cut(): void;
  /** Cuts, and closes the port: clients are refused. */
  refuse(): Promise<void>;
  /** Ends `refuse`. */
  accept(): Promise<void>;
  /** From now on clients that connect reach this port; those that are connected stay where they are. */
  redirect(target: number): void;
  /** Ends everything. Repeatable. */
  stop(): Promise<void>;
}

/** Starts a proxy on loopback to a port of loopback. */
export async function startTcpProxy({ target }: { target: number }): Promise<TcpProxy> {
  const proxy = new Forwarder(target);
  await proxy.accept();
  return proxy;
}

class Forwarder implements TcpProxy {
  #target: number;
  readonly #lines = new Set<Line>();
  #server: Server | undefined;
  #stalled = false;
  #hushed = false;
  #delayMs = 0;
  port = 0;

  constructor(target: number) {
    this.#target = target;
  }

  get connections(): number {
    return this.#lines.size / 2;
  }

  stall(which: 'all' | 'present' = 'all'): void {
    this.#stalled = which === 'all';
    for (const line of this.#lines) {
      line.isHeld = true;
      line.update();
    }
  }

  hush(): void {
    this.#hushed = true;
    for (const line of this.#lines) line.update();
  }

  resume(): void {
    this.#stalled = false;
    this.#hushed = false;
    for (const line of this.#lines) {
      line.isHeld = false;
      line.update();
    }
  }

  delay(ms: number): void {
    this.#delayMs = ms;
  }

  cut(): void {
    for (const line of this.#lines) line.cut();
    this.#lines.clear();
  }

  async refuse(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.cut();
    if (server === undefined) return;
    server.close();
    await once(server, 'close');
  }

  async accept(): Promise<void> {
    if (this.#server !== undefined) return;
    const server = createServer({ allowHalfOpen: true }, client => this.#join(client));
    this.#server = server;
    server.listen(this.port, '127.0.0.1');
    await once(server, 'listening');
    this.port = (server.address() as AddressInfo).port;
  }

  redirect(target: number): void {
    this.#target = target;
  }

  stop(): Promise<void> {
    return this.refuse();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #join(client: Socket): void {
    const server = connect({ port: this.#target, host: '127.0.0.1', allowHalfOpen: true });
    const delayMs = () => this.#delayMs;
    const there = { isStalled: () => this.#stalled, delayMs };
    const back = { isStalled: () => this.#stalled || this.#hushed, delayMs };
    const lines = [new Line(client, server, there), new Line(server, client, back)];
    for (const line of lines) {
      this.#lines.add(line);
      line.source.once('close', () => {
        if (client.closed && server.closed) for (const each of lines) this.#lines.delete(each);
      });
    }
  }
}

interface State {
  isStalled(): boolean;
  delayMs(): number;
}

/** One direction of a connection. */
class Line {
  readonly source: Socket;
  readonly #sink: Socket;
  readonly #state: State;
  /** What has been read and not yet passed on, in order; an empty chunk is the end. */
  readonly #held: { readonly chunk: Buffer; readonly due: number }[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Whether nothing passes here. */
  isHeld = false;

  constructor(source: Socket, sink: Socket, state: State) {
    this.source = source;
    this.#sink = sink;
    this.#state = state;
    source.setNoDelay(true);
    source.on('data', chunk => this.#take(chunk));
    source.on('end', () => this.#take(Buffer.alloc(0)));
    source.on('error', () => this.update());
    source.on('close', () => this.update());
    sink.on('drain', () => this.update());
    this.update();
  }

  /** Passes on what is due, and reads on if that is allowed. */
  update(): void {
    clearTimeout(this.#timer);
    if (this.isHeld || this.#state.isStalled()) {
      this.source.pause();
      return;
    }
    for (let next = this.#held[0]; next !== undefined; next = this.#held[0]) {
      const waitMs = next.due - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.update(), waitMs);
        break;
      }
      this.#held.shift();
      if (next.chunk.length === 0) this.#sink.end();
      else this.#sink.write(next.chunk);
    }
    if (this.source.destroyed) this.#endSink();
    else if (this.#sink.writableNeedDrain) this.source.pause();
    else this.source.resume();
  }

  cut(): void {
    clearTimeout(this.#timer);
    reset(this.source);
    reset(this.#sink);
  }

  #endSink(): void {
    if (this.source.errored) reset(this.#sink);
    else if (this.#held.length === 0) this.#sink.destroySoon();
  }

  #take(chunk: Buffer): void {
    this.#held.push({ chunk, due: performance.now() + this.#state.delayMs() });
    this.update();
  }
}
