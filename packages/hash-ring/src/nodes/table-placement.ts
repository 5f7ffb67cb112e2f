import type { Key, Placement, RingNode } from '../placement.ts';
import { NodeTable } from './node-table.ts';
import { spread } from './preference.ts';

/** What placements over a table of nodes have in common: all but where a key goes. */
export abstract class TablePlacement implements Placement {
  protected readonly table: NodeTable = new NodeTable();

  get size(): number {
    return this.table.liveCount;
  }

  abstract get(key: Key): string;

  abstract find(key: Key, accept: (id: string) => boolean): string | undefined;

  getN(key: Key, count: number): string[] {
    return spread(this, key, count, id => this.table.zoneOf(id), this.table.zoneCount);
  }

  shareOf(id: string): number {
    return this.table.shareOf(id);
  }

  has(id: string): boolean {
    return this.table.has(id);
  }

  /** All nodes in the order in which they came, also those that are down or have weight 0. */
  nodes(): RingNode[] {
    return this.table.nodes();
  }
}
