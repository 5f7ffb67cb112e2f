import type { ShardKey } from './key-column.ts';
import type { Cut, KeyOrder } from './layout.ts';

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

/** What has become of slots that were cut in two. */
export class Cuts {
  readonly #cuts: ReadonlyMap<number, ReadyCut>;
  /** The cut that has made a slot. */
  readonly #origins: ReadonlyMap<number, Cut>;

  constructor(cuts: readonly Cut[], order: KeyOrder) {
    this.#cuts = new Map(cuts.map(cut => [cut.slot, ready(cut, order)]));
    this.#origins = new Map(cuts.flatMap(cut => cut.into.map(slot => [slot, cut] as const)));
  }

  get size(): number {
    return this.#cuts.size;
  }

  /** The part of the slot that has the key; the slot itself where it is whole. */
  partOf(slot: number, key: ShardKey): number {
    for (let at = slot; ; ) {
      const cut = this.#cuts.get(at);
      if (cut === undefined) return at;
      at = cut.into[cut.has(key) ? 1 : 0];
    }
  }

  /** Whether the slot was cut in two, so that no key is in it any more. */
  isRetired(slot: number): boolean {
    return this.#cuts.has(slot);
  }

  /** The cut that has made the slot; undefined where it was there from the beginning. */
  originOf(slot: number): Cut | undefined {
    return this.#origins.get(slot);
  }

  /** The parts of a slot, in the order of their keys; the slot itself where it is whole. */
  partsOf(slot: number): number[] {
    return this.#cuts.get(slot)?.into.flatMap(part => this.partsOf(part)) ?? [slot];
  }

  /** The cuts that have made a slot, the last one first. */
  pathTo(slot: number): CutOnPath[] {
    const path: CutOnPath[] = [];
    for (let at = slot; ; ) {
      const cut = this.#origins.get(at);
      if (cut === undefined) return path;
      path.push({ cut, isIn: cut.into[1] === at });
      at = cut.slot;
    }
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
