import {
  InvalidOptionError,
  integer,
  listOf,
  type RulesFor,
  readOptions,
  refused,
  required,
} from '@ashlar/core';
import { DuplicateNodeError, EmptyPlacementError } from '../errors.ts';
import { mix32 } from '../hash/murmur3.ts';
import { type CheckedNode, readAdded, readNode, readNodes, requireWeightOne } from '../nodes/read-nodes.ts';
import { TablePlacement } from '../nodes/table-placement.ts';
import type { Key, RingNode } from '../placement.ts';
import { type Hash, hash, ofKeys } from '../rules.ts';
import { findByStride, jump } from './jump-hash.ts';

export interface MementoHashOptions {
  /** Any 32-bit hash of a key. Default: `murmur3`, MurmurHash3 x86 32 of its UTF-8 bytes. */
  readonly hash?: (key: Key) => number;
}

/** JSON-safe. What a `MementoHash` answers depends on this alone. */
export interface MementoState {
  /** The node of each bucket; `null` where one was removed and its bucket not yet given out again. */
  readonly nodes: readonly (RingNode | null)[];
  /** The removed buckets, the oldest first. */
  readonly removed: readonly number[];
}

const rules = { hash } satisfies RulesFor<MementoHashOptions>;

/**
 * MementoHash (Coluzzi, Brocco, Antonucci and Leidi, 2023): jump hash over buckets of which any may be removed. Shares are
 * even, any number of nodes may join and leave, and memory is taken for removed buckets only. A key moves only when its
 * own node leaves, or to a node that joins, which takes the bucket that was removed last.
 *
 * **The order of removals is part of the placement**: two processes that saw the same nodes leave in different orders
 * disagree. Share `state()` between them, or use a `HashRing`, whose placement depends on the nodes alone. It has
 * no weights. After its first node a key visits the others by a stride of its own.
 */
export class MementoHash extends TablePlacement {
  readonly #hash: Hash;
  readonly #buckets = new Map<string, number>();
  /** The id of each bucket, `undefined` where it was removed. */
  readonly #ids: (string | undefined)[] = [];
  readonly #removed: number[] = [];
  /** For each removed bucket how many were left: its keys go to the buckets below that. */
  readonly #left = new Map<number, number>();

  /** @throws InvalidOptionError for a node with a weight other than 1, DuplicateNodeError */
  constructor(nodes: Iterable<string | RingNode> = [], options: MementoHashOptions = {}) {
    super();
    this.#hash = ofKeys(readOptions('MementoHash', options, rules).hash);
    for (const node of readNodes(nodes)) this.#place(node);
  }

  /** @throws InvalidOptionError for what no `state()` returns */
  static restore(state: MementoState, options: MementoHashOptions = {}): MementoHash {
    const { nodes, removed } = checkedState(state);
    // Filled buckets stand in for the removed ones until these are removed again, in their order
    const ids = new Set(nodes.map(node => node?.id));
    const standIns = nodes.map((_, bucket) => uniqueId(`removed ${bucket}`, ids));
    const restored = new MementoHash(
      nodes.map((node, bucket) => node ?? standIns[bucket]!),
      options,
    );
    for (const bucket of removed) restored.remove(standIns[bucket]!);
    return restored;
  }

  get(key: Key): string {
    const hash = this.#hash(key);
    if (this.size === 0) throw new EmptyPlacementError();
    return this.#ids[this.#bucketOf(hash)]!;
  }

  find(key: Key, accept: (id: string) => boolean): string | undefined {
    const hash = this.#hash(key);
    return findByStride(this.#ids, this.size === 0 ? 0 : this.#bucketOf(hash), hash, accept);
  }

  state(): MementoState {
    const byId = new Map(this.nodes().map(node => [node.id, node]));
    const nodes = this.#ids.map(id => (id === undefined ? null : byId.get(id)!));
    return { nodes, removed: [...this.#removed] };
  }

  /** Assigns the node the bucket that was removed last, or a new one. @throws DuplicateNodeError, InvalidOptionError */
  add(node: string | RingNode, ...more: []): void {
    const checked = readAdded(node, more);
    if (this.has(checked.id)) throw new DuplicateNodeError(checked.id);
    this.#place(checked);
  }

  /** @throws UnknownNodeError */
  remove(id: string): void {
    this.table.remove(id);
    const bucket = this.#buckets.get(id)!;
    this.#buckets.delete(id);
    if (this.#removed.length === 0 && bucket === this.#ids.length - 1) {
      this.#ids.pop();
      return;
    }
    this.#ids[bucket] = undefined;
    this.#removed.push(bucket);
    this.#left.set(bucket, this.size);
  }

  #place(node: CheckedNode): void {
    requireWeightOne('MementoHash', node);
    const bucket = this.#removed.pop() ?? this.#ids.length;
    this.#left.delete(bucket);
    this.#ids[bucket] = node.id;
    this.#buckets.set(node.id, bucket);
    this.table.add(node);
  }

  #bucketOf(hash: number): number {
    let bucket = jump(0, hash, this.#ids.length);
    for (let left = this.#left.get(bucket); left !== undefined; ) {
      bucket = mix32(hash ^ mix32(bucket + 1)) % left;
      let leftThere = this.#left.get(bucket);
      // Removed before: at that time it was among those left, so follow to the bucket that took its place
      while (leftThere !== undefined && leftThere >= left) {
        bucket = leftThere;
        leftThere = this.#left.get(bucket);
      }
      left = leftThere;
    }
    return bucket;
  }
}

const bucket = integer(undefined, { min: 0 });

const stateRules = {
  nodes: required(listOf((node, option) => (node === null ? null : readNode(node as RingNode, option)))),
  removed: required(listOf(required(bucket))),
} satisfies RulesFor<MementoState>;

function checkedState(state: unknown): {
  nodes: readonly (CheckedNode | null)[];
  removed: readonly number[];
} {
  if (typeof state !== 'object' || state === null) {
    const advice = typeof state === 'string' ? 'write `MementoHash.restore(JSON.parse(text))`' : undefined;
    throw refused('state', 'what `state()` of a MementoHash returned', state, advice);
  }
  const { nodes, removed } = readOptions('`state`', state, stateRules, 'state.');
  const holes = nodes.flatMap((node, bucket) => (node === null ? [bucket] : []));
  const sorted = [...removed].sort((a, b) => a - b);
  if (holes.length === sorted.length && holes.every((bucket, i) => bucket === sorted[i])) {
    return { nodes, removed };
  }
  throw new InvalidOptionError(
    'state.removed',
    '`state.removed` must hold each bucket whose node is null, once',
  );
}

function uniqueId(wanted: string, ids: ReadonlySet<string | undefined>): string {
  return ids.has(wanted) ? uniqueId(`${wanted}'`, ids) : wanted;
}
