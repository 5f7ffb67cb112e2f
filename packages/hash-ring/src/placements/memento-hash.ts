import { describe, InvalidOptionError, knownOptions } from '@ashlar/core';
import { DuplicateNodeError, EmptyPlacementError } from '../errors.ts';
import { mix32, murmur3 } from '../hash/murmur3.ts';
import { checkedNode, checkedNodes, requireWeightOne } from '../nodes/read-nodes.ts';
import { TablePlacement } from '../nodes/table-placement.ts';
import type { Key, RingNode } from '../placement.ts';
import { checkedHash } from '../rules.ts';
import { jump, strideOf } from './jump-hash.ts';

export interface MementoHashOptions {
  /** Any 32-bit hash of a key; MurmurHash3 x86 32 of its UTF-8 bytes if absent. */
  readonly hash?: (key: Key) => number;
}

/** JSON-safe. What a `MementoHash` answers depends on this alone. */
export interface MementoState {
  /** The node of each bucket; `null` where one was removed and its bucket not yet given out again. */
  readonly nodes: readonly (RingNode | null)[];
  /** The removed buckets, the oldest first. */
  readonly removed: readonly number[];
}

/**
 * MementoHash (Coluzzi, Brocco, Antonucci and Leidi, 2023): jump hash over buckets of which any may be removed. Shares are
 * even, any number of nodes may join and leave, and memory is taken for removed buckets only. A key moves only when its
 * own node leaves, or to a node that joins, which takes the bucket that was removed last.
 *
 * **The order of removals is part of the placement**: two processes that saw the same nodes leave in different orders
 * disagree. Share `state()` between them, or take a `HashRing`, whose placement depends on the nodes alone. Weights are
 * not possible. After its first node a key visits the others by a stride of its own.
 */
export class MementoHash extends TablePlacement {
  readonly #hash: (key: Key) => number;
  readonly #buckets = new Map<string, number>();
  /** The id of each bucket, `undefined` where it was removed. */
  readonly #ids: (string | undefined)[] = [];
  readonly #removed: number[] = [];
  /** For each removed bucket how many were left: its keys go to the buckets below that. */
  readonly #left = new Map<number, number>();

  /** @throws InvalidOptionError for a node with a weight other than 1, DuplicateNodeError */
  constructor(nodes: Iterable<string | RingNode> = [], options: MementoHashOptions = {}) {
    super();
    knownOptions('MementoHash', options, ['hash']);
    this.#hash = checkedHash(options.hash ?? murmur3);
    for (const node of checkedNodes(nodes)) this.add(node);
  }

  /** @throws InvalidOptionError for what no `state()` gives */
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
    if (this.size === 0) throw new EmptyPlacementError();
    return this.#ids[this.#bucketOf(this.#hash(key))]!;
  }

  find(key: Key, accept: (id: string) => boolean): string | undefined {
    if (this.size === 0) return undefined;
    const hash = this.#hash(key);
    const count = this.#ids.length;
    const stride = strideOf(mix32(hash), count);
    for (let step = 0, at = this.#bucketOf(hash); step < count; step++, at = (at + stride) % count) {
      const id = this.#ids[at];
      if (id !== undefined && accept(id)) return id;
    }
    return undefined;
  }

  state(): MementoState {
    const byId = new Map(this.nodes().map(node => [node.id, node]));
    const nodes = this.#ids.map(id => (id === undefined ? null : byId.get(id)!));
    return { nodes, removed: [...this.#removed] };
  }

  /** Gives the node the bucket that was removed last, or a new one. @throws DuplicateNodeError, InvalidOptionError */
  add(node: string | RingNode): void {
    const checked = checkedNode(node);
    requireWeightOne('MementoHash', checked);
    if (this.has(checked.id)) throw new DuplicateNodeError(checked.id);
    const bucket = this.#removed.pop() ?? this.#ids.length;
    this.#left.delete(bucket);
    this.#ids[bucket] = checked.id;
    this.#buckets.set(checked.id, bucket);
    this.table.add(checked);
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

function checkedState(state: MementoState): MementoState {
  const { nodes, removed } = state ?? {};
  const fail = (what: string) =>
    new InvalidOptionError('state', `\`state\` is not of a MementoHash: ${what}`);
  if (!Array.isArray(nodes)) throw fail(`\`nodes\` must be a list, got ${describe(nodes)}`);
  if (!Array.isArray(removed)) throw fail(`\`removed\` must be a list, got ${describe(removed)}`);
  const holes = nodes.flatMap((node, bucket) => (node === null ? [bucket] : []));
  const sorted = [...removed].sort((a, b) => a - b);
  if (holes.length !== sorted.length || holes.some((bucket, i) => bucket !== sorted[i])) {
    throw fail('`removed` must hold each bucket whose node is null, once');
  }
  return state;
}

function uniqueId(wanted: string, ids: ReadonlySet<string | undefined>): string {
  return ids.has(wanted) ? uniqueId(`${wanted}'`, ids) : wanted;
}
