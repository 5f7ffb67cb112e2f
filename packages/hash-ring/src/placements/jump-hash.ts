import { type RulesFor, readOptions } from '@ashlar/core';
import { DuplicateNodeError, EmptyPlacementError } from '../errors.ts';
import { mix32 } from '../hash/murmur3.ts';
import { mul64High } from '../hash/u64.ts';
import { requireAccept } from '../nodes/preference.ts';
import { type CheckedNode, readAdded, readNodes, requireWeightOne } from '../nodes/read-nodes.ts';
import { TablePlacement } from '../nodes/table-placement.ts';
import type { Key, RingNode } from '../placement.ts';
import { type Hash, hash, ofKeys } from '../rules.ts';

export interface JumpHashOptions {
  /** Any 32-bit hash of a key. Default: `murmur3`, MurmurHash3 x86 32 of its UTF-8 bytes. */
  readonly hash?: (key: Key) => number;
}

const rules = { hash } satisfies RulesFor<JumpHashOptions>;

/**
 * Jump consistent hash: even shares with no memory at all, for nodes that form a numbered list which grows and shrinks
 * at its end only, such as shards. The order of the nodes is part of the placement. `add` moves keys to the new node
 * only, `pop` moves the keys of the last node only; to remove any other, use a `MementoHash`.
 *
 * The key's 32-bit hash is jump's 64-bit key, as Guava does with a 32-bit hash code. It has no weights. After its
 * first node a key visits the others by a stride of its own.
 */
export class JumpHash extends TablePlacement {
  readonly #hash: Hash;
  readonly #ids: string[] = [];

  /** @throws InvalidOptionError for a node with a weight other than 1, DuplicateNodeError */
  constructor(nodes: Iterable<string | RingNode> = [], options: JumpHashOptions = {}) {
    super();
    this.#hash = ofKeys(readOptions('JumpHash', options, rules).hash);
    for (const node of readNodes(nodes)) this.#append(node);
  }

  get(key: Key): string {
    const hash = this.#hash(key);
    if (this.#ids.length === 0) throw new EmptyPlacementError();
    return this.#ids[jump(0, hash, this.#ids.length)]!;
  }

  find(key: Key, accept: (id: string) => boolean): string | undefined {
    const hash = this.#hash(key);
    return findByStride(this.#ids, jump(0, hash, this.#ids.length), hash, accept);
  }

  /** Appends a node. @throws DuplicateNodeError, InvalidOptionError */
  add(node: string | RingNode, ...more: []): void {
    const checked = readAdded(node, more);
    if (this.has(checked.id)) throw new DuplicateNodeError(checked.id);
    this.#append(checked);
  }

  /** Removes the last node and returns its id; `undefined` when there is none. */
  pop(): string | undefined {
    const id = this.#ids.pop();
    if (id !== undefined) this.table.remove(id);
    return id;
  }

  #append(node: CheckedNode): void {
    requireWeightOne('JumpHash', node);
    this.table.add(node);
    this.#ids.push(node.id);
  }
}

/**
 * The bucket, 0 to `buckets - 1`, of a 64-bit key given in two halves: "A Fast, Minimal Memory, Consistent Hash Algorithm"
 * (Lamping and Veach, 2014).
 */
export function jump(high: number, low: number, buckets: number): number {
  let hi = high | 0;
  let lo = low | 0;
  let bucket = 0;
  for (let next = 0; next < buckets; ) {
    bucket = next;
    // key = key * 2862933555777941757 + 1, modulo 2 ** 64; the factor is 0x27bb2ee687b0b0fd
    hi = mul64High(hi, lo, 0x27bb2ee6, 0x87b0b0fd);
    lo = Math.imul(lo, 0x87b0b0fd);
    lo = (lo + 1) | 0;
    if (lo === 0) hi = (hi + 1) | 0;
    // 2 ** 31 / ((key >>> 33) + 1)
    next = Math.floor((bucket + 1) * (0x80000000 / ((hi >>> 1) + 1)));
  }
  return bucket;
}

/** Tries the bucket at `start`, then the others by the key's own stride; skips an id that is `undefined`. */
export function findByStride(
  ids: readonly (string | undefined)[],
  start: number,
  hash: number,
  accept: (id: string) => boolean,
): string | undefined {
  requireAccept(accept);
  const count = ids.length;
  const stride = strideOf(mix32(hash), count);
  for (let step = 0, at = start; step < count; step++, at = (at + stride) % count) {
    const id = ids[at];
    if (id !== undefined && accept(id)) return id;
  }
  return undefined;
}

/**
 * A step that visits all of `count` places before it comes back to the first: coprime to `count`, drawn by a hash, so
 * that keys that share a first place do not share the second.
 */
export function strideOf(hash: number, count: number): number {
  if (count < 3) return 1;
  let stride = 1 + ((hash >>> 0) % (count - 1));
  while (commonDivisor(stride, count) !== 1) stride = stride + 1 < count ? stride + 1 : 1;
  return stride;
}

function commonDivisor(a: number, b: number): number {
  let [greater, smaller] = [b, a];
  while (smaller !== 0) [greater, smaller] = [smaller, greater % smaller];
  return greater;
}
