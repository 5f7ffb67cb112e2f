import { EmptyPlacementError } from '../../errors.ts';
import { type Owners, OwnerWalk, spread } from '../../nodes/preference.ts';
import { checkedId } from '../../nodes/read-nodes.ts';
import type { Key, Placement } from '../../placement.ts';
import type { CheckedSystemNode } from './system-nodes.ts';

type Nodes = readonly CheckedSystemNode[];

const anyone = () => true;

/** What all placements of foreign systems have in common. A node's index in the list is its number as an owner. */
abstract class SystemPlacement implements Placement {
  /** Nodes that are down, or have no place at all, are not counted: they are never given out. */
  readonly size: number;
  /** The id of each owner that may be given out. */
  protected readonly live: readonly (string | undefined)[];
  protected readonly walk: OwnerWalk = new OwnerWalk();
  readonly #nodes: ReadonlyMap<string, Nodes[number]>;
  readonly #zones: number;
  readonly #weight: number;

  protected constructor(nodes: Nodes, owners: Owners) {
    const placed = new Uint8Array(nodes.length);
    for (const owner of owners) placed[owner] = 1;
    const live = nodes.filter(({ down }, i) => placed[i] === 1 && !down);
    this.live = nodes.map(({ id, down }, i) => (placed[i] === 1 && !down ? id : undefined));
    this.size = live.length;
    this.#nodes = new Map(live.map(node => [node.id, node]));
    this.#zones = new Set(live.map(({ id, zone }) => zone ?? { id })).size;
    this.#weight = live.reduce((sum, { weight }) => sum + weight, 0);
  }

  abstract get(key: Key): string;

  abstract find(key: Key, accept: (id: string) => boolean): string | undefined;

  getN(key: Key, count: number): string[] {
    return spread(this, key, count, id => this.#nodes.get(id)?.zone, this.#zones);
  }

  shareOf(id: string): number {
    return (this.#nodes.get(checkedId(id))?.weight ?? 0) / this.#weight || 0;
  }
}

/** The first node in the key's order of preference, where the key's own may not be given out. */
function nextOf(placement: SystemPlacement, key: Key): string {
  const id = placement.find(key, anyone);
  if (id === undefined) throw new EmptyPlacementError();
  return id;
}

/** Owners around a circle or along a table: from the place where a key begins on, each is preferred to those behind it. */
export class CirclePlacement extends SystemPlacement {
  readonly #owners: Owners;
  readonly #places: number;
  readonly #locate: (key: Key) => number;

  /** @param circle may have one owner more than places: its first again, so that `locate` may give `places` */
  constructor(
    nodes: Nodes,
    { owners, size }: { readonly owners: Owners; readonly size: number },
    locate: (key: Key) => number,
  ) {
    super(nodes, owners.subarray(0, size));
    this.#owners = owners;
    this.#places = size;
    this.#locate = locate;
  }

  get(key: Key): string {
    if (this.size === 0) throw new EmptyPlacementError();
    return this.live[this.#owners[this.#locate(key)]!] ?? nextOf(this, key);
  }

  find(key: Key, accept: (id: string) => boolean): string | undefined {
    return this.walk.find(this.#owners, this.#places, this.#locate(key), this.live, this.size, accept);
  }
}

/**
 * Where a system finds the next server by hashing once more rather than by the next place: its first attempts, then
 * all nodes in their order.
 */
export class AttemptPlacement extends SystemPlacement {
  /** The owners of one key's attempts, then every owner. */
  readonly #sequence: Uint32Array;
  readonly #attempt: (key: Key, sequence: Uint32Array, attempts: number) => void;
  readonly #attempts: number;
  #walking = false;

  /**
   * @param owners those that can be reached
   * @param attempt writes the owners of a key's first attempts
   */
  constructor(
    nodes: Nodes,
    owners: Uint32Array,
    attempts: number,
    attempt: (key: Key, sequence: Uint32Array, attempts: number) => void,
  ) {
    super(nodes, owners);
    this.#attempts = attempts;
    this.#attempt = attempt;
    this.#sequence = new Uint32Array(attempts + nodes.length);
    for (let i = 0; i < nodes.length; i++) this.#sequence[attempts + i] = i;
  }

  get(key: Key): string {
    if (this.size === 0) throw new EmptyPlacementError();
    const sequence = this.#own();
    this.#attempt(key, sequence, 1);
    return this.live[sequence[0]!] ?? nextOf(this, key);
  }

  find(key: Key, accept: (id: string) => boolean): string | undefined {
    const sequence = this.#own();
    const outer = this.#walking;
    this.#walking = true;
    try {
      this.#attempt(key, sequence, this.#attempts);
      return this.walk.find(sequence, sequence.length, 0, this.live, this.size, accept);
    } finally {
      this.#walking = outer;
    }
  }

  /** Only a call from within `accept` finds the sequence in use. */
  #own(): Uint32Array {
    return this.#walking ? this.#sequence.slice() : this.#sequence;
  }
}
