import { InvalidOptionError, type RulesFor, readOptions } from '@ashlar/core';
import { EmptyPlacementError } from '../errors.ts';
import { mix32 } from '../hash/murmur3.ts';
import { OwnerWalk } from '../nodes/preference.ts';
import { type CheckedNode, readNodes } from '../nodes/read-nodes.ts';
import { TablePlacement } from '../nodes/table-placement.ts';
import type { Key, RingNode } from '../placement.ts';
import { type Hash, hash, ofKeys, prime } from '../rules.ts';

export interface MaglevTableOptions {
  /** Entries of the table, a prime, a hundred times the number of nodes or more. Default: 65 537. */
  readonly tableSize?: number;
  /** Any 32-bit hash of a key. Default: `murmur3`, MurmurHash3 x86 32 of its UTF-8 bytes. */
  readonly hash?: (key: Key) => number;
}

const rules = { tableSize: prime(65537, 2 ** 26), hash } satisfies RulesFor<MaglevTableOptions>;

/** A node fills entries in the order offset, offset + skip, offset + 2 skip, … of the table. */
interface Filling {
  readonly slot: number;
  readonly weight: number;
  readonly skip: number;
  next: number;
  due: number;
}

/**
 * Maglev hashing (Eisenbud et al., NSDI 2016): the nodes fill a table in turns, and a look-up is one read. Fixed at
 * construction. When a node leaves, its keys spread evenly, and a few keys of other nodes move as well; use a `HashRing`
 * where none may.
 *
 * Of n nodes of equal weight each has the same number of entries, to within one. Of other weights a node with a share of s
 * of the t entries has s entries to within 1 + s × n / t, and at least one.
 *
 * Placement depends on the ids, weights and options alone, not on the order of the nodes. A node of weight w has
 * a turn in w out of the greatest weight's rounds. After its first node a key prefers those of the entries that follow.
 */
export class MaglevTable extends TablePlacement {
  readonly #hash: Hash;
  readonly #walk: OwnerWalk = new OwnerWalk();
  readonly #owners: Uint32Array;

  /** @throws InvalidOptionError, DuplicateNodeError */
  constructor(nodes: Iterable<string | RingNode>, options: MaglevTableOptions = {}) {
    super();
    const { tableSize, hash } = readOptions('MaglevTable', options, rules);
    this.#hash = ofKeys(hash);
    const checked = readNodes(nodes).sort((a, b) => (a.id < b.id ? -1 : 1));
    for (const node of checked) this.table.add(node);
    if (this.size > tableSize) {
      throw new InvalidOptionError(
        'tableSize',
        `\`tableSize\` must be at least the number of nodes, ${this.size}, got ${tableSize}`,
      );
    }
    this.#owners = this.#fill(tableSize);
  }

  get(key: Key): string {
    const entry = this.#entry(key);
    if (this.size === 0) throw new EmptyPlacementError();
    return this.table.live[this.#owners[entry]!]!;
  }

  find(key: Key, accept: (id: string) => boolean): string | undefined {
    return this.#walk.find(
      this.#owners,
      this.#owners.length,
      this.#entry(key),
      this.table.live,
      this.size,
      accept,
    );
  }

  #entry(key: Key): number {
    return (this.#hash(key) >>> 0) % this.#owners.length;
  }

  #fill(tableSize: number): Uint32Array {
    const table = new Uint32Array(tableSize);
    const taken = new Uint8Array(tableSize);
    const fillings = Array.from(this.table.members(), ({ slot, node }) =>
      this.#filling(slot, node, tableSize),
    ).filter(({ weight }) => weight > 0);
    const greatest = fillings.reduce((max, { weight }) => Math.max(max, weight), 0);
    let left = fillings.length === 0 ? 0 : tableSize;
    while (left > 0) {
      for (const filling of fillings) {
        // In a round each node gains its weight, and has its turn whenever that makes up the greatest weight
        filling.due += filling.weight;
        if (filling.due < greatest) continue;
        filling.due -= greatest;
        while (taken[filling.next] === 1) filling.next = (filling.next + filling.skip) % tableSize;
        taken[filling.next] = 1;
        table[filling.next] = filling.slot;
        if (--left === 0) break;
      }
    }
    this.#giveEachOne(table, fillings);
    return table;
  }

  /**
   * A node too light for a turn takes over the first entry, in its own order, of a node that has more than its share of
   * what these leave.
   */
  #giveEachOne(table: Uint32Array, fillings: readonly Filling[]): void {
    const counts = new Uint32Array(this.table.live.length);
    for (const slot of table) counts[slot]!++;
    const light = fillings.filter(({ slot }) => counts[slot] === 0);
    if (light.length === 0) return;
    const others = fillings.filter(({ slot }) => counts[slot]! > 0);
    const total = others.reduce((sum, { weight }) => sum + weight, 0);
    const shares = new Float64Array(counts.length).fill(1);
    for (const { slot, weight } of others) {
      shares[slot] = Math.max(1, (weight / total) * (table.length - light.length));
    }
    let toSpare = others.reduce(
      (sum, { slot }) => sum + Math.ceil(Math.max(0, counts[slot]! - shares[slot]!)),
      0,
    );
    const mayGive = (slot: number) => counts[slot]! > (toSpare > 0 ? shares[slot]! : 1);
    for (const { slot, next, skip } of light) {
      let entry = next;
      while (!mayGive(table[entry]!)) entry = (entry + skip) % table.length;
      toSpare--;
      counts[table[entry]!]!--;
      table[entry] = slot;
      counts[slot] = 1;
    }
  }

  #filling(slot: number, { id, weight }: CheckedNode, tableSize: number): Filling {
    const offset = this.#hash(id) >>> 0;
    const skip = mix32(this.#hash(`${id}\0`));
    return { slot, weight, next: offset % tableSize, skip: (skip % (tableSize - 1)) + 1, due: 0 };
  }
}
