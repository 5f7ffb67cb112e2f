import { abortable } from '@ashlar/core';
import { ConnectionPool } from '../connection-pool.ts';
import type { Administration, OpenOptions, Pool, Server, Sighting } from '../server.ts';
import { MemoryAdministration } from './administration.ts';
import { type MemoryClient, MemoryConnection } from './connection.ts';
import type { MemoryNode } from './node.ts';
import type { Replication } from './replication.ts';

/** A memory server as one process sees it. */
export class MemoryServer implements Server<MemoryClient> {
  readonly id: string;
  readonly region: string | undefined;
  readonly #replication: Replication;
  readonly #node: MemoryNode;

  constructor(replication: Replication, node: MemoryNode, region: string | undefined) {
    this.id = node.id;
    this.region = region;
    this.#replication = replication;
    this.#node = node;
  }

  async look(signal: AbortSignal): Promise<Sighting> {
    const node = this.#node;
    await abortable(
      node.until(() => node.state !== 'stopped'),
      signal,
    );
    if (node.state === 'dead') throw node.deadError();
    const sighting = node.sighting();
    return sighting.role === 'replica'
      ? sighting
      : { ...sighting, acknowledging: this.#replication.acknowledging(node) };
  }

  open(options: OpenOptions): Pool<MemoryClient> {
    const node = this.#node;
    return new ConnectionPool(options, async (events, signal) => {
      await abortable(
        node.until(() => node.state !== 'stopped'),
        signal,
      );
      if (node.state === 'dead') throw node.deadError();
      return new MemoryConnection(this.#replication, node, events);
    });
  }

  async administer(term: number, signal: AbortSignal): Promise<Administration> {
    const node = this.#node;
    await abortable(
      node.until(() => node.state !== 'stopped'),
      signal,
    );
    return new MemoryAdministration(this.#replication, node, term);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
