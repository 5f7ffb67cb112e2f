import { abortable, InvalidOptionError } from '@ashlar/core';
import { TermPassedError } from '../errors.ts';
import type { Administration } from '../server.ts';
import type { Position } from '../session.ts';
import type { MemoryNode } from './node.ts';
import type { Replication } from './replication.ts';

/** As one orchestrator changes a memory server, until one of a later term does. */
export class MemoryAdministration implements Administration {
  readonly #replication: Replication;
  readonly #node: MemoryNode;
  readonly #term: number;

  /** @throws TermPassedError */
  constructor(replication: Replication, node: MemoryNode, term: number) {
    this.#replication = replication;
    this.#node = node;
    this.#term = term;
    if (node.state === 'dead') throw node.deadError();
    if (node.notedTerm > term) throw new TermPassedError(node.id, term, node.notedTerm);
    node.notedTerm = term;
  }

  async isPrimary(): Promise<boolean> {
    return (await this.#turn()).role === 'primary';
  }

  async detach(): Promise<Position> {
    const node = await this.#turn();
    node.upstream = undefined;
    node.isReplayPaused = false;
    node.apply();
    node.changed();
    return node.sighting().position;
  }

  async position(): Promise<Position> {
    return (await this.#turn()).sighting().position;
  }

  async drain(signal: AbortSignal): Promise<Position> {
    const node = await this.#turn();
    node.isFenced = true;
    node.changed();
    await abortable(this.#replication.acknowledged(node, node.log.length), signal);
    return node.sighting().position;
  }

  async require(standbys: readonly string[], count: number): Promise<void> {
    const node = await this.#turn();
    node.isFenced = false;
    node.changed();
    this.#replication.require(node, standbys, count);
  }

  async promote(): Promise<void> {
    const node = await this.#turn();
    node.promote(1 + Math.max(...this.#replication.nodes.map(({ term }) => term)));
  }

  async follow(primary: string): Promise<void> {
    const node = await this.#turn();
    const upstream = this.#replication.nodes.find(({ id }) => id === primary);
    if (upstream === undefined) throw new InvalidOptionError('primary', `there is no server ${primary}`);
    node.follow(upstream);
    this.#replication.copyAll();
  }

  async fence(): Promise<void> {
    const node = await this.#turn();
    node.isFenced = true;
    node.disconnect();
    node.changed();
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #turn(): Promise<MemoryNode> {
    const node = this.#node;
    await node.until(() => node.state !== 'stopped');
    if (node.state === 'dead') throw node.deadError();
    if (node.notedTerm > this.#term) throw new TermPassedError(node.id, this.#term, node.notedTerm);
    return node;
  }
}
