import { knownOptions } from '@ashlar/core';
import { DuplicateNodeError, EmptyPlacementError } from './errors.ts';
import { mix32, murmur3 } from './hash/murmur3.ts';
import { checkedHash } from './hash/pluggable.ts';
import { jump } from './jump.ts';
import { checkedNode, checkedNodes, requireWeightOne } from './nodes.ts';
import type { Key, RingNode } from './placement.ts';
import { strideOf } from './stride.ts';
import { TablePlacement } from './table-placement.ts';

export interface JumpHashOptions {
  /** Any 32-bit hash of a key; MurmurHash3 x86 32 of its UTF-8 bytes if absent. */
  readonly hash?: (key: Key) => number;
}

/**
 * Jump consistent hash: even shares with no memory at all, for nodes that form a numbered list which grows and shrinks
 * at its end only, such as shards. The order of the nodes is part of the placement. `add` moves keys to the new node
 * only, `pop` moves the keys of the last node only; to remove any other, take a `MementoHash`.
 *
 * The key's 32-bit hash is jump's 64-bit key, as Guava does with a 32-bit hash code. Weights are not possible. After its
 * first node a key visits the others by a stride of its own.
 */
export class JumpHash extends TablePlacement {
  readonly #hash: (key: Key) => number;
  readonly #ids: string[] = [];

  /** @throws InvalidOptionError for a node with a weight other than 1, DuplicateNodeError */
  constructor(nodes: Iterable<string | RingNode> = [], options: JumpHashOptions = {}) {
    super();
    knownOptions('JumpHash', options, ['hash']);
    this.#hash = checkedHash(options.hash ?? murmur3);
    for (const node of checkedNodes(nodes)) this.add(node);
  }

  get(key: Key): string {
    if (this.#ids.length === 0) throw new EmptyPlacementError();
    return this.#ids[jump(0, this.#hash(key), this.#ids.length)]!;
  }

  find(key: Key, accept: (id: string) => boolean): string | undefined {
    const hash = this.#hash(key);
    const count = this.#ids.length;
    const stride = strideOf(mix32(hash), count);
    for (let step = 0, at = jump(0, hash, count); step < count; step++, at = (at + stride) % count) {
      const id = this.#ids[at];
      if (id !== undefined && accept(id)) return id;
    }
    return undefined;
  }

  /** Appends a node. @throws DuplicateNodeError, InvalidOptionError */
  add(node: string | RingNode): void {
    const checked = checkedNode(node);
    requireWeightOne('JumpHash', checked);
    if (this.has(checked.id)) throw new DuplicateNodeError(checked.id);
    this.table.add(checked);
    this.#ids.push(checked.id);
  }

  /** Takes the last node off and gives its id; `undefined` when there is none. */
  pop(): string | undefined {
    const id = this.#ids.pop();
    if (id !== undefined) this.table.remove(id);
    return id;
  }
}
