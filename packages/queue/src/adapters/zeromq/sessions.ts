import type { Driver } from '../../driver.ts';
import type { Find } from '../../remote/hands.ts';
import { Server } from '../../remote/server.ts';
import { maxAheadBytes, maxBehindBytes } from './limits.ts';
import { decodePacket, encodePacket, packetVersion } from './packets.ts';
import type { Frame } from './socket.ts';
import { Stream } from './stream.ts';

interface Session {
  readonly stream: Stream;
  readonly server: Server;
  /** The connection from which it was last heard. */
  route: Buffer;
  heardAt: number;
}

export interface SessionsParts {
  readonly driver: Driver;
  readonly find: Find;
  /** Milliseconds of silence after which a client counts as gone. */
  readonly silenceMs: number;
  write(frames: readonly Frame[]): void;
}

/** The clients of a broker. */
export class Sessions {
  readonly #parts: SessionsParts;
  readonly #sessions = new Map<string, Session>();
  /** Packets that no client of this version would send. */
  malformed = 0;

  constructor(parts: SessionsParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Takes what came over one connection. Never throws, whatever it was. */
  receive(frames: readonly Buffer[]): void {
    const [route, head, bytes] = frames;
    try {
      if (route === undefined || head === undefined || bytes === undefined) throw new Error('malformed');
      const packet = decodePacket(head, bytes);
      const { session: id, type, n } = packet;
      if (type === 'gone') return;
      let session = this.#sessions.get(id);
      if (session === undefined) {
        if (type !== 'data' || n !== 1) {
          this.#parts.write([route, ...encodePacket(gone(id))]);
          return;
        }
        session = this.#begin(id, route);
      }
      session.route = route;
      session.heardAt = performance.now();
      if (!session.stream.receive(packet)) throw new Error('malformed');
      if (type === 'beat' && packet.again !== true) session.stream.beat();
      if (session.stream.unconfirmedBytes > maxBehindBytes) this.#end(id);
    } catch {
      this.malformed++;
    }
  }

  /** Ends those that have not been heard for long. */
  sweep(): void {
    const now = performance.now();
    for (const [id, { heardAt }] of this.#sessions) {
      if (now - heardAt > this.#parts.silenceMs) this.#end(id);
    }
  }

  close(): void {
    for (const id of this.#sessions.keys()) this.#end(id);
  }

  #begin(id: string, route: Buffer): Session {
    const { driver, find, write } = this.#parts;
    const server = new Server({
      driver,
      find,
      send: message => stream.send(message),
      hasRoom: () => stream.unconfirmedBytes < maxAheadBytes,
      heardAt: () => stream.confirmedAt,
    });
    const stream: Stream = new Stream({
      session: id,
      transmit: frames => write([session.route, ...frames]),
      received: message => {
        try {
          server.receive(message);
        } catch {
          this.malformed++;
        }
      },
    });
    const session: Session = { stream, server, route, heardAt: performance.now() };
    this.#sessions.set(id, session);
    return session;
  }

  #end(id: string): void {
    this.#sessions.get(id)?.server.close();
    this.#sessions.delete(id);
  }
}

function gone(session: string) {
  return { version: packetVersion, session, type: 'gone', n: 0, ack: 0 } as const;
}
