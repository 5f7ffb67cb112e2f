import type { Clock } from '@ashlar/core';
import type { MemoryNode } from './node.ts';

export interface ReplicationSettings {
  readonly lagMs: number;
  readonly synchronous: number;
  readonly clock: Clock;
}

/** How the log of a primary comes to its replicas, and when a write is acknowledged. */
export class Replication {
  readonly nodes: readonly MemoryNode[];
  readonly #settings: ReplicationSettings;
  /** Whose acknowledgments count at a primary, and how many: where it was not told, those of all. */
  readonly #required = new Map<MemoryNode, { standbys: readonly string[]; count: number }>();
  readonly #copying = new Set<MemoryNode>();

  constructor(nodes: readonly MemoryNode[], settings: ReplicationSettings) {
    this.nodes = nodes;
    this.#settings = settings;
  }

  /** Resolves when as many replicas as must have the primary's log up to there. */
  async acknowledged(primary: MemoryNode, length: number): Promise<void> {
    this.copyAll();
    const has = (node: MemoryNode) => node.log.length >= length;
    const { synchronous } = this.#settings;
    const enough = () => this.#required.get(primary)?.count ?? synchronous;
    await primary.until(() => this.#counted(primary).filter(has).length >= enough());
  }

  require(primary: MemoryNode, standbys: readonly string[], count: number): void {
    this.#required.set(primary, { standbys, count });
    for (const node of this.nodes) node.changed();
  }

  /** How many replicas follow whose acknowledgments count. */
  acknowledging(primary: MemoryNode): number {
    return this.#counted(primary).filter(({ state }) => state !== 'dead').length;
  }

  #counted(primary: MemoryNode): readonly MemoryNode[] {
    const standbys = this.#required.get(primary)?.standbys;
    const counts = ({ id, upstream }: MemoryNode) =>
      upstream === primary && (standbys === undefined || standbys.includes(id));
    return this.nodes.filter(counts);
  }

  copyAll(): void {
    for (const node of this.nodes) void this.#copy(node);
  }

  /** Copies the log of its upstream, after the lag, until it has all. */
  async #copy(node: MemoryNode): Promise<void> {
    if (this.#copying.has(node)) return;
    this.#copying.add(node);
    const { lagMs, clock } = this.#settings;
    try {
      while (isBehind(node)) {
        if (lagMs > 0) await clock.sleep(lagMs);
        const { upstream } = node;
        if (!isBehind(node) || upstream === undefined) break;
        node.receive(upstream.log.slice(node.log.length), upstream);
        upstream.changed();
      }
    } finally {
      this.#copying.delete(node);
    }
  }
}

function isBehind(node: MemoryNode): boolean {
  const { upstream } = node;
  if (upstream === undefined || node.state !== 'running' || upstream.state !== 'running') return false;
  return node.log.length < upstream.log.length || node.term < upstream.term;
}
