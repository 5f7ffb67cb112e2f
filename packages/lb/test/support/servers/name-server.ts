import { createSocket, type RemoteInfo } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { type Answer, decode, encode, type Packet } from 'dns-packet';
import { onTestFinished } from 'vitest';
import type { ResolverLike } from '../../../src/adapters/dns.ts';

/** NOERROR with these records; NXDOMAIN; SERVFAIL; NOTIMP; REFUSED; or nothing at all. */
export type Reply = readonly Answer[] | keyof typeof codes | 'silent';

const codes = { unknown: 3, failing: 2, 'not implemented': 4, refused: 5 };

/** A name server on loopback that answers as a test says, and counts what it is asked. */
export class NameServer {
  readonly asked: string[] = [];
  /** Asks it, as one machine's would. */
  readonly resolver: ResolverLike;
  /** Questions that have no answer yet. */
  open = 0;
  readonly #socket = createSocket('udp4');
  readonly #resolver = new Resolver({ timeout: 60_000, tries: 1 });
  #replies = new Map<string, Reply>();

  static async start(): Promise<NameServer> {
    const server = new NameServer();
    server.#socket.bind(0, '127.0.0.1');
    onTestFinished(async () => {
      server.#resolver.cancel();
      server.#socket.close();
      await once(server.#socket, 'close');
    });
    await once(server.#socket, 'listening');
    server.#resolver.setServers([`127.0.0.1:${server.#socket.address().port}`]);
    return server;
  }

  private constructor() {
    const counted = async <T>(answer: Promise<T>): Promise<T> => {
      this.open++;
      return answer.finally(() => this.open--);
    };
    const resolver = {
      resolve4: (name, options) => counted(this.#resolver.resolve4(name, options)),
      resolve6: (name, options) => counted(this.#resolver.resolve6(name, options)),
      resolveSrv: name => counted(this.#resolver.resolveSrv(name)),
      // As a `Resolver` has it
      cancel: () => this.#resolver.cancel(),
    } satisfies ResolverLike & { cancel(): void };
    this.resolver = resolver;
    this.#socket.on('message', (message, from) => this.#answer(message, from));
  }

  /** Ends the questions that nobody answers. */
  giveUp(): void {
    this.#resolver.cancel();
  }

  /** From now on; by type and name, as `A shop`. What it does not know has no records. */
  says(replies: Readonly<Record<string, Reply>>): void {
    this.#replies = new Map(Object.entries(replies));
  }

  #answer(message: Buffer, from: RemoteInfo): void {
    const { id = 0, questions = [] } = decode(message);
    const [question] = questions;
    const { type = 'A', name = '' } = question ?? {};
    this.asked.push(`${type} ${name}`);
    const reply = this.#replies.get(`${type} ${name}`) ?? [];
    if (reply === 'silent') return;
    // The low four bits of the flags are the code of the reply; the types of dns-packet do not name it
    const flags = typeof reply === 'string' ? codes[reply] : 0;
    const packet: Packet = { type: 'response', id, flags: flags | (1 << 7), questions };
    if (typeof reply !== 'string') packet.answers = [...reply];
    this.#socket.send(encode(packet), from.port, from.address);
  }
}

export function a(name: string, addresses: readonly string[], ttl = 5): Answer[] {
  return addresses.map(data => ({ type: 'A', name, ttl, data }));
}

export function aaaa(name: string, addresses: readonly string[], ttl = 5): Answer[] {
  return addresses.map(data => ({ type: 'AAAA', name, ttl, data }));
}

export function srv(
  name: string,
  ...records: readonly [priority: number, weight: number, port: number, target: string][]
): Answer[] {
  return records.map(([priority, weight, port, target]) => ({
    type: 'SRV',
    name,
    ttl: 5,
    data: { priority, weight, port, target },
  }));
}
