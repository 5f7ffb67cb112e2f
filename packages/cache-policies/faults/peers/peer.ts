import { Peer } from '@workspace/faults';
import type { Wire } from '../wire/wire.ts';
import type { PeerSettings, Reply, Requests } from './peer-process.ts';

type Pending = { resolve(value: unknown): void; reject(error: Error): void };

/** A process with a cache, as it is seen from outside. */
export class CachePeer extends Peer<Reply> {
  readonly name: string;
  readonly wire: Wire;
  readonly #pending = new Map<number, Pending>();
  #requests = 0;

  constructor(settings: PeerSettings, wire: Wire) {
    super(new URL('./peer-process.ts', import.meta.url), settings);
    this.name = settings.name;
    this.wire = wire;
    this.#listen().catch((error: Error) => {
      for (const { reject } of this.#pending.values()) reject(error);
    });
  }

  /** Rejects with what it says, or when it has ended. */
  ask<W extends keyof Requests>(
    what: W,
    ...[argument]: Parameters<Requests[W]>
  ): Promise<Awaited<ReturnType<Requests[W]>>> {
    const id = ++this.#requests;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve: resolve as Pending['resolve'], reject });
      this.process.send({ id, what, argument }, error => error && reject(error));
    });
  }

  async #listen(): Promise<void> {
    for (;;) {
      const reply = await this.next();
      const { resolve, reject } = this.#pending.get(reply.id)!;
      this.#pending.delete(reply.id);
      if ('error' in reply) reject(new Error(`${this.name}: ${reply.error}`));
      else resolve(reply.value);
    }
  }
}
