import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Frames, isNews } from './frames.ts';

/** What a connection of a tier is for: it hears of changes once it has asked to. */
export type Role = 'commands' | 'hearing';

/** The way of one process to Redis, on loopback, which knows what its connections are for. */
export class Wire implements AsyncDisposable {
  readonly #server: Server;
  readonly #lines = new Set<Line>();
  readonly #held = new Set<Role>();
  /** How many messages were told of and did not arrive. */
  dropped = 0;
  #drops = false;

  private constructor(target: number) {
    this.#server = createServer(client => {
      const line = new Line(client, connect(target, '127.0.0.1'), {
        isHeld: role => this.#held.has(role),
        drops: () => this.#drops && ++this.dropped > 0,
        over: () => this.#lines.delete(line),
      });
      this.#lines.add(line);
    });
  }

  static async start(target: number): Promise<Wire> {
    const wire = new Wire(target);
    wire.#server.listen(0, '127.0.0.1');
    await once(wire.#server, 'listening');
    return wire;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** A black hole for these: nothing passes, and nobody is told. What is on its way waits. */
  hold(role: Role): void {
    this.#held.add(role);
  }

  /** Resets those of the moment; new ones find a black hole, until `release`. */
  cut(role: Role): void {
    this.#held.add(role);
    for (const line of this.#lines) if (line.role === role) line.cut();
  }

  release(): void {
    this.#held.clear();
    for (const line of this.#lines) line.flush();
  }

  /** Whether what the server tells of changes is lost. The connection itself lives. */
  set drops(drops: boolean) {
    this.#drops = drops;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    for (const line of this.#lines) line.cut();
    await once(this.#server, 'close');
  }
}

interface Rules {
  isHeld(role: Role): boolean;
  drops(): boolean;
  over(): void;
}

/** One connection, both ways. */
class Line {
  role: Role = 'commands';
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #rules: Rules;
  readonly #frames = new Frames();
  readonly #held: { readonly to: Socket; readonly bytes: Buffer }[] = [];

  constructor(client: Socket, server: Socket, rules: Rules) {
    this.#client = client;
    this.#server = server;
    this.#rules = rules;
    client.on('data', (bytes: Buffer) => {
      if (/\bsubscribe\b/i.test(bytes.toString('latin1'))) this.role = 'hearing';
      this.#pass(server, bytes);
    });
    server.on('data', (bytes: Buffer) => {
      for (const frame of this.#frames.take(bytes)) {
        if (!isNews(frame) || !rules.drops()) this.#pass(client, frame);
      }
    });
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('close', () => this.flush());
    }
  }

  /** Passes on what may pass, the end included. */
  flush(): void {
    if (this.#rules.isHeld(this.role)) return;
    for (const { to, bytes } of this.#held.splice(0)) to.write(bytes);
    if (this.#client.closed || this.#server.closed) this.cut();
  }

  cut(): void {
    this.#client.destroy();
    this.#server.destroy();
    this.#rules.over();
  }

  #pass(to: Socket, bytes: Buffer): void {
    this.#held.push({ to, bytes });
    this.flush();
  }
}
