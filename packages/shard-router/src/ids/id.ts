import { InvalidShardKeyError } from '../errors/routing.ts';

/**
 * An id of 64 bits, never negative, so that it fits an `int8`: 41 bits of milliseconds since 2024, 12 of the slot, 10 that
 * count. In the order of the time at which they were made, to a second or so.
 */
const countBits = 10n;
const slotBits = 12n;

/** Ids that one millisecond has for a slot. */
export const idsPerTick: number = 1 << Number(countBits);

/** So many slots fit an id. */
export const maxSlots: number = 1 << Number(slotBits);

/** The first millisecond: 2024-01-01T00:00:00Z. */
export const idEpochMs = 1_704_067_200_000;

const end = 1n << 63n;

/** @param count from 0 to `idsPerTick - 1` */
export function idOf(tick: number, slot: number, count: number): bigint {
  return (((BigInt(tick) << slotBits) | BigInt(slot)) << countBits) | BigInt(count);
}

/** @throws InvalidShardKeyError */
export function slotOfId(id: bigint): number {
  if (typeof id !== 'bigint' || id < 0n || id >= end) {
    throw new InvalidShardKeyError(
      id,
      'an id: a bigint of 63 bits',
      '`pg` returns int8 as text: take BigInt(id)',
    );
  }
  return Number((id >> countBits) & BigInt(maxSlots - 1));
}

/** When it was made, in milliseconds since 1970: at most a few seconds off. */
export function timeOfId(id: bigint): number {
  slotOfId(id);
  return Number(id >> (countBits + slotBits)) + idEpochMs;
}

/** The slot of an id in an `int8` column, as an expression of PostgreSQL. The column must be quoted already. */
export function idSlotSql(column: string, slots: number): string {
  return `((${column} >> ${countBits}) & ${slots - 1})`;
}
