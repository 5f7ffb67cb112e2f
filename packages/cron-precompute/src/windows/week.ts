import type { Zone } from '../schedule/zone.ts';

/** The load that was observed in one half hour of the week. */
export interface SlotSum {
  readonly sum: number;
  readonly count: number;
  /** The last week that is in it, counted from 1970. */
  readonly week: number;
}

/** By half hours, from Monday on; `null` where nothing was observed. JSON. */
export type LoadWeek = readonly (SlotSum | null | undefined)[];

const slotMs = 1_800_000;
const slotsInDay = 48;
export const slotsInWeek: number = 7 * slotsInDay;
const weekMs = slotsInWeek * slotMs;
/** 1970 began with a Thursday. */
const mondayMs = 3 * slotsInDay * slotMs;

/** The half hour of a time, by the clocks of the zone. */
export function slotAt(ms: number, zone: Zone): { readonly slot: number; readonly week: number } {
  const sinceMonday = ms + zone.offsetAt(ms) + mondayMs;
  const week = Math.floor(sinceMonday / weekMs);
  return { slot: Math.floor((sinceMonday - week * weekMs) / slotMs), week };
}

/** With what was observed since. A week counts half as much as the one after it. */
export function merged(week: LoadWeek, batch: ReadonlyMap<number, SlotSum>): LoadWeek {
  return Array.from({ length: slotsInWeek }, (_, slot) => {
    const old = week[slot] ?? null;
    const added = batch.get(slot);
    if (added === undefined) return old;
    if (old === null) return added;
    const newest = Math.max(old.week, added.week);
    const [a, b] = [weightOf(old, newest), weightOf(added, newest)];
    return { sum: old.sum * a + added.sum * b, count: old.count * a + added.count * b, week: newest };
  });
}

function weightOf({ week }: SlotSum, newest: number): number {
  return 0.5 ** (newest - week);
}

/**
 * The slots that are in the quietest stretch of so many of some day: each day's begins on that day, and may end on the next.
 * `undefined` when some day has no stretch that is known as a whole.
 */
export function quietSlots(week: LoadWeek, length: number): ReadonlySet<number> | undefined {
  const means = Array.from({ length: slotsInWeek }, (_, slot) => {
    const known = week[slot];
    return known ? known.sum / known.count : Number.POSITIVE_INFINITY;
  });
  const quiet = new Set<number>();
  for (let day = 0; day < 7; day++) {
    let best = -1;
    let least = Number.POSITIVE_INFINITY;
    for (let first = day * slotsInDay; first < (day + 1) * slotsInDay; first++) {
      let load = 0;
      for (let i = 0; i < length; i++) load += means[(first + i) % slotsInWeek]!;
      if (load < least) [best, least] = [first, load];
    }
    if (best < 0) return undefined;
    for (let i = 0; i < length; i++) quiet.add((best + i) % slotsInWeek);
  }
  return quiet;
}
