import type { ShardKey } from './key-column.ts';
import type { Cut, Join, KeyOrder } from './layout.ts';

interface ReadyCut extends Cut {
  /** Whether the key is in the second part. */
  has(key: ShardKey): boolean;
}

/** A cut on the way to a slot. */
export interface CutOnPath {
  readonly cut: Cut;
  /** Whether the slot is in its second part. */
  readonly isIn: boolean;
}

/** What has become of slots that were cut in two, or joined. */
export class Cuts {
  /** Whether each slot is as it was in the beginning. */
  readonly areNone: boolean;
  readonly #cuts: ReadonlyMap<number, ReadyCut>;
  /** The cut that has made a slot. */
  readonly #origins: ReadonlyMap<number, Cut>;
  /** Which slot has got the keys of one that was joined to it. */
  readonly #joins: ReadonlyMap<number, number>;

  constructor(cuts: readonly Cut[], joins: readonly Join[], order: KeyOrder) {
    this.#cuts = new Map(cuts.map(cut => [cut.slot, ready(cut, order)]));
    this.#origins = new Map(cuts.flatMap(cut => cut.into.map(slot => [slot, cut] as const)));
    this.#joins = new Map(joins.map(({ slot, into }) => [slot, into]));
    this.areNone = this.#cuts.size === 0 && this.#joins.size === 0;
  }

  /** The part of the slot that has the key; the slot itself where it is whole. */
  partOf(slot: number, key: ShardKey): number {
    for (let at = slot; ; ) {
      const cut = this.#cuts.get(at);
      const next = cut === undefined ? this.#joins.get(at) : cut.into[cut.kept ?? (cut.has(key) ? 1 : 0)];
      if (next === undefined) return at;
      at = next;
    }
  }

  /** Whether the slot was cut in two or joined to another, so that no key is in it any more. */
  isRetired(slot: number): boolean {
    return this.#cuts.has(slot) || this.#joins.has(slot);
  }

  /** Whether a cut has made the slot: else it was there from the beginning. */
  isMade(slot: number): boolean {
    return this.#origins.has(slot);
  }

  /** The slots that have the keys of a slot, in the order of their keys; the slot itself where it is whole. */
  partsOf(slot: number): number[] {
    const into = this.#joins.get(slot);
    if (into !== undefined) return this.partsOf(into);
    const cut = this.#cuts.get(slot);
    if (cut === undefined) return [slot];
    return cut.kept === undefined
      ? cut.into.flatMap(part => this.partsOf(part))
      : this.partsOf(cut.into[cut.kept]);
  }

  /** The slot from the beginning that a slot is a part of. */
  rootOf(slot: number): number {
    let at = slot;
    for (let cut = this.#origins.get(at); cut !== undefined; cut = this.#origins.get(at)) at = cut.slot;
    return at;
  }

  /** The cuts that tell a slot from the others of its root, the last one first: without those whose parts were joined again. */
  pathTo(slot: number): CutOnPath[] {
    const path: CutOnPath[] = [];
    let at = slot;
    for (let cut = this.#origins.get(at); cut !== undefined; cut = this.#origins.get(at)) {
      if (cut.kept === undefined) path.push({ cut, isIn: cut.into[1] === at });
      at = cut.slot;
    }
    return path;
  }
}

function ready(cut: Cut, keys: KeyOrder): ReadyCut {
  const at = keys.fromTexts(cut.at);
  const { kind } = cut;
  const has = (key: ShardKey) => {
    const order = keys.order(key, at);
    return kind === 'only' ? order === 0 : order >= 0;
  };
  return { ...cut, has };
}
