import { number, objectWith, type Rule, type RulesFor, readOptions, refused, required } from '@ashlar/core';
import { EmptyPlacementError } from './errors.ts';
import { checkedId } from './nodes/read-nodes.ts';
import type { Key, Placement } from './placement.ts';

export interface BoundedLoadOptions {
  /** How far above its fair part of the load a node may go, above 1. Default: 1.25. */
  readonly factor?: number;
}

const rules = { factor: number(1.25, { above: 1 }) } satisfies RulesFor<BoundedLoadOptions>;

const anyPlacement = required(objectWith<Placement>(['get', 'getN', 'find'], 'write `new HashRing(nodes)`'));

const placementRule: Rule<Placement> = (value, option) => {
  const placement = anyPlacement(value, option);
  if (typeof placement.size === 'number') return placement;
  throw refused(`${option}.size`, 'the number of nodes', placement.size);
};

/** The right to load a node with one unit of work. */
export interface Acquired {
  readonly node: string;
  /** Returns the unit; further calls do nothing. */
  release(): void;
}

/**
 * Consistent hashing with bounded loads (Mirrokni, Thorup and Zadimoghaddam, 2018), live: counts the work that is under
 * way, and assigns a key to the first node in its order of preference that has room. No unit lifts a node above
 * ⌈factor × (load + 1) × share⌉, where load is the work under way on all nodes before it, and share the node's part of the
 * weights.
 *
 * Follows the placement as it changes. Some node always has room: the bounds add up to more than the load.
 */
export class BoundedLoad {
  readonly #placement: Placement;
  readonly #factor: number;
  readonly #loads = new Map<string, number>();
  #total = 0;

  /** @throws InvalidOptionError */
  constructor(placement: Placement, options: BoundedLoadOptions = {}) {
    this.#placement = placementRule(placement, 'placement');
    this.#factor = readOptions('BoundedLoad', options, rules).factor;
  }

  /** The work under way on all nodes. */
  get total(): number {
    return this.#total;
  }

  /** The work under way on a node. */
  loadOf(id: string): number {
    return this.#loads.get(checkedId(id)) ?? 0;
  }

  /** How much work the node may have once the next unit is assigned. */
  capacityOf(id: string): number {
    const { size } = this.#placement;
    const share = this.#placement.shareOf?.(checkedId(id)) ?? (size === 0 ? 0 : 1 / size);
    return Math.ceil(this.#factor * (this.#total + 1) * share);
  }

  /** @throws EmptyPlacementError, InvalidOptionError */
  acquire(key: Key): Acquired {
    const node = this.#placement.find(key, id => this.loadOf(id) < this.capacityOf(id));
    if (node === undefined) throw new EmptyPlacementError();
    this.#loads.set(node, this.loadOf(node) + 1);
    this.#total++;
    let held = true;
    const release = () => {
      if (!held) return;
      held = false;
      this.#total--;
      // A node that carries nothing is forgotten, so that nodes that come and go leave nothing behind
      const load = this.loadOf(node) - 1;
      if (load === 0) this.#loads.delete(node);
      else this.#loads.set(node, load);
    };
    return { node, release };
  }
}
