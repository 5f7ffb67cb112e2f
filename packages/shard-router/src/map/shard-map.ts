import type { SlotSpace } from '../keys/slot-space.ts';
import { Slots } from '../keys/slots.ts';
import type { Moving, SeenPosition } from './moving.ts';

/** Slots from `from` up to the next range's, or to the end, are on `shard`. */
export interface SlotRange {
  readonly from: number;
  readonly shard: string;
}

/** The newest form of the record that this version can go by. It grows with whatever would be misread by who does not know of it. */
export const mapFormat = 1;

/**
 * Who has which slots, and which of them are on the move. One record in the store; each change of it, a step of a move
 * included, is one compare-and-set.
 */
export interface ShardMap extends SlotSpace {
  /** What its readers have to know of; absent: 1. */
  readonly format?: number;
  /** Grows by one whenever slots change hands. */
  readonly epoch: number;
  /** Grows by one with each change of the record. */
  readonly revision: number;
  /** In order of `from`, which begins at 0; neighbors differ. */
  readonly ranges: readonly SlotRange[];
  /** What a replica of a shard must have before it may answer for rows that have moved there. */
  readonly seen?: Readonly<Record<string, readonly SeenPosition[]>>;
  /** In the order in which they began; no slot is in two of them. */
  readonly moves: readonly Moving[];
}

/** The shard of each slot, in order. */
export function ownersOf({ ranges, slots }: Pick<ShardMap, 'ranges' | 'slots'>): string[] {
  return ranges.flatMap(({ from, shard }, i) =>
    Array<string>(Math.max(0, (ranges[i + 1]?.from ?? slots) - from)).fill(shard),
  );
}

/**
 * The owners, in which slots without keys have that of the first slot which has theirs, or else of any: so that no map names a shard for
 * nothing.
 */
export function withRetired(owners: readonly string[], space: SlotSpace): string[] {
  const slots = new Slots(space.key, space.slots, space);
  const [any] = slots.inOrder();
  return owners.map((owner, slot) => {
    if (!slots.isRetired(slot)) return owner;
    const its = slots.live([slot]).find(part => !slots.isRetired(part)) ?? any;
    return its === undefined ? owner : owners[its]!;
  });
}

/** The opposite of `ownersOf`: as few ranges as there can be. */
export function rangesOf(owners: readonly string[]): SlotRange[] {
  return owners.flatMap((shard, from) => (owners[from - 1] === shard ? [] : [{ from, shard }]));
}
