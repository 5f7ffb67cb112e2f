import {
  boolean,
  type Checked,
  InvalidOptionError,
  integer,
  type RulesFor,
  readOptions,
  refused,
  required,
} from '@ashlar/core';
import { DuplicateNodeError, EmptyPlacementError } from '../errors.ts';
import { mix32 } from '../hash/murmur3.ts';
import { OwnerWalk } from '../nodes/preference.ts';
import { type CheckedNode, readAdded, readNodes, weightRule } from '../nodes/read-nodes.ts';
import { TablePlacement } from '../nodes/table-placement.ts';
import type { Key, RingNode } from '../placement.ts';
import { type Hash, hash, ofKeys } from '../rules.ts';
import { Continuum, type Precedence } from './continuum.ts';
import { type Circle, type Movement, movements } from './movement.ts';

export interface HashRingOptions {
  /** Points of a node of weight 1, 1 to 2^24. More points even out the shares; each takes at most 12 bytes. Default: 160. */
  readonly vnodes?: number;
  /** Any 32-bit hash of a key. Default: `murmur3`, MurmurHash3 x86 32 of its UTF-8 bytes. */
  readonly hash?: (key: Key) => number;
}

/** More points than this crowd a circle of 2^32 places. */
const maxPoints = 2 ** 24;

const rules = {
  vnodes: integer(160, { min: 1, max: maxPoints }),
  hash,
} satisfies RulesFor<HashRingOptions>;

const newWeight = required(weightRule);
const newDown = required(boolean());

/**
 * Consistent hashing on a circle (Karger et al., STOC 1997): a node has `vnodes × weight` points, a key belongs to the
 * node of the first point at or after its hash. A key moves only when its own node leaves, or to a node that joins.
 *
 * Placement depends on the ids, weights and options alone, not on the order of changes that led to them. Weights are
 * absolute: a change moves only keys to or from that node. Point j of a node lies at mix32(a + j × b), where a is
 * hash(id), b is hash(id + '\0') made odd, and mix32 the finalizer of MurmurHash3; of two points at one place, that of
 * the smaller id (in UTF-16 order) is first.
 */
export class HashRing extends TablePlacement {
  readonly #options: Checked<typeof rules>;
  readonly #hash: Hash;
  readonly #walk: OwnerWalk = new OwnerWalk();
  readonly #precedes: Precedence = (a, b) => this.table.idAt(a) < this.table.idAt(b);
  readonly #live: readonly (string | undefined)[] = this.table.live;
  #continuum: Continuum;

  /** @throws InvalidOptionError, DuplicateNodeError */
  constructor(nodes: Iterable<string | RingNode> = [], options: HashRingOptions = {}) {
    super();
    this.#options = readOptions('HashRing', options, rules);
    this.#hash = ofKeys(this.#options.hash);
    const checked = readNodes(nodes);
    this.#requireRoom(checked);
    for (const node of checked) this.table.add(node);
    this.#continuum = this.#build();
  }

  get(key: Key): string {
    const continuum = this.#continuum;
    const at = continuum.successor(this.#hash(key));
    return this.#live[continuum.owners[at]!] ?? this.#nextLive(at);
  }

  find(key: Key, accept: (id: string) => boolean): string | undefined {
    const continuum = this.#continuum;
    const start = continuum.successor(this.#hash(key));
    return this.#walk.find(continuum.owners, continuum.size, start, this.#live, this.size, accept);
  }

  /** Costs a copy of the ring's points, not a rebuild. @throws DuplicateNodeError, InvalidOptionError */
  add(node: string | RingNode, ...more: []): void {
    const checked = readAdded(node, more);
    if (this.has(checked.id)) throw new DuplicateNodeError(checked.id);
    this.#requireRoom([checked]);
    const { slot } = this.table.add(checked);
    this.#continuum = this.#continuum.with(this.#pointsOf(checked), slot, this.#precedes);
  }

  /** Takes a node off the circle; its keys go to the nodes of the next points. @throws UnknownNodeError */
  remove(id: string): void {
    const { slot, node } = this.table.remove(id);
    this.#continuum = this.#continuum.without(slot, this.#pointCount(node.weight));
  }

  /** Only keys of this node move, or to it. @throws UnknownNodeError, InvalidOptionError */
  setWeight(id: string, weight: number): void {
    const { slot, node } = this.table.member(id);
    const changed = { ...node, weight: newWeight(weight, 'weight') };
    const before = this.#pointCount(node.weight);
    this.#requireRoom([changed], before);
    this.table.change(id, { weight });
    if (this.#pointCount(weight) === before) return;
    const others = this.#continuum.without(slot, before);
    this.#continuum = others.with(this.#pointsOf(changed), slot, this.#precedes);
  }

  /**
   * A node that is down keeps its place and is walked over: its keys go where they would go without it, and come back
   * when it does. Costs nothing but the longer walk. @throws UnknownNodeError
   */
  setDown(id: string, down: boolean): void {
    this.table.change(id, { down: newDown(down, 'down') });
  }

  /** A ring with the same nodes, weights and options, that changes independently. */
  clone(): HashRing {
    const copy = new HashRing([], this.#options);
    for (const { node, down } of this.table.members()) {
      copy.table.add(node);
      if (down) copy.table.change(node.id, { down });
    }
    copy.#continuum = copy.#build();
    return copy;
  }

  /**
   * What changes owner from this ring to the next: for each pair of nodes the ranges of hashes, both ends included, and
   * their share of all hashes. Nothing moves from or to a ring of size 0.
   *
   * @throws InvalidOptionError when the rings hash keys differently
   */
  movesTo(next: HashRing): Movement[] {
    if (typeof next !== 'object' || next === null || !(#continuum in next)) {
      throw refused('next', 'a HashRing', next);
    }
    if (this.#options.hash !== next.#options.hash) {
      throw new InvalidOptionError('next', '`next` must use the same hash function as this ring');
    }
    if (this.size === 0 || next.size === 0) return [];
    return movements(this.#circle(), next.#circle());
  }

  #circle(): Circle {
    const { points, size } = this.#continuum;
    return { points, size, ownerAt: at => this.#ownerAt(at) };
  }

  #ownerAt(at: number): string {
    return this.#live[this.#continuum.owners[at]!] ?? this.#nextLive(at);
  }

  #nextLive(start: number): string {
    if (this.size === 0) throw new EmptyPlacementError();
    const { owners, size } = this.#continuum;
    for (let at = start; ; at++) {
      const id = this.#live[owners[at % size]!];
      if (id !== undefined) return id;
    }
  }

  #build(): Continuum {
    const counts = Array.from(this.table.members(), ({ node }) => this.#pointCount(node.weight));
    const total = counts.reduce((sum, count) => sum + count, 0);
    const points = new Uint32Array(total);
    const owners = new Uint32Array(total);
    let at = 0;
    for (const { slot, node } of this.table.members()) {
      const end = at + this.#pointCount(node.weight);
      this.#writePoints(points.subarray(at, end), node.id);
      owners.fill(slot, at, end);
      at = end;
    }
    return Continuum.of(points, owners, this.#precedes);
  }

  #pointsOf(node: CheckedNode): Uint32Array {
    const points = new Uint32Array(this.#pointCount(node.weight));
    this.#writePoints(points, node.id);
    return points.sort();
  }

  #writePoints(points: Uint32Array, id: string): void {
    const a = this.#hash(id);
    const b = this.#hash(`${id}\0`) | 1;
    for (let j = 0; j < points.length; j++) points[j] = mix32(a + Math.imul(j, b));
  }

  /** A node of any weight above 0 has a point. */
  #pointCount(weight: number): number {
    return weight === 0 ? 0 : Math.max(1, Math.round(this.#options.vnodes * weight));
  }

  /** Called before anything changes, so that a refused change leaves the ring as it was. */
  #requireRoom(added: readonly CheckedNode[], replaced = 0): void {
    const more = added.reduce((sum, { weight }) => sum + this.#pointCount(weight), -replaced);
    const total = (this.#continuum?.size ?? 0) + more;
    if (total <= maxPoints) return;
    throw new InvalidOptionError(
      'vnodes',
      `the ring would have ${total} points, more than ${maxPoints}: take fewer \`vnodes\` or smaller weights`,
    );
  }
}
