import type { Clock } from '@ashlar/core';
import { channels } from '../diagnostics.ts';
import type { ShardKey } from '../keys/key-column.ts';
import type { Route, Routes } from '../map/routes.ts';
import { HeavyKeys } from './heavy-keys.ts';

export interface LoadOptions {
  readonly router: string;
  readonly clock: Clock;
  /** Milliseconds that are counted together. */
  readonly windowMs: number;
  /** The part of all calls from which a key or a slot is hot. */
  readonly hotShare: number;
  /** Where keys are. */
  routes(): Routes | undefined;
  /** From 0 up to 1. */
  readonly random?: () => number;
}

export interface HotSlot {
  readonly slot: number;
  readonly shard: string;
  readonly perSecond: number;
}

export interface HotKey {
  /** As the map keeps keys: of several columns, their texts as JSON. */
  readonly key: string;
  readonly slot: number;
  readonly shard: string;
  readonly perSecond: number;
}

/** Calls of one router. */
export interface LoadSnapshot {
  /** How long the counted time is, in milliseconds. */
  readonly forMs: number;
  /** Calls of each second; one for several keys counts once for each. */
  readonly perSecond: number;
  readonly shards: Readonly<Record<string, number>>;
  /** The heaviest, up to eight, most first. */
  readonly slots: readonly HotSlot[];
  readonly keys: readonly HotKey[];
}

/** Calls a second of the heaviest slots, and of all others together: what a router says of itself in the store. */
export interface SlotLoad {
  readonly slots: readonly (readonly [slot: number, perSecond: number])[];
  readonly rest: number;
}

/** One in so many keys is looked at. */
const sampled = 16;
const heavyKeys = 64;
const shown = 8;
/** Slots by themselves in a router's entry: some two kilobytes. */
const told = 128;
/** With fewer calls in a window, nothing is hot. */
const fewest = 100;

class Window {
  readonly begunAt: number;
  endedAt: number | undefined;
  slots: Float64Array;
  readonly keys = new HeavyKeys(heavyKeys);
  total = 0;

  constructor(begunAt: number, slots: number) {
    this.begunAt = begunAt;
    this.slots = new Float64Array(slots);
  }
}

/**
 * Counts the calls of one router: each by its slot, and one in sixteen by its key. What it says is of the last whole window and the one that is
 * running. Bounded: two numbers a slot, and two times 64 keys.
 */
export class Load {
  readonly #options: LoadOptions;
  readonly #random: () => number;
  #now: Window;
  #before: Window | undefined;
  #untilSample = 1;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#now = new Window(options.clock.now(), 0);
  }

  count(slot: number, key: ShardKey): void {
    const { slots } = this.#now;
    if (slot < slots.length) slots[slot]!++;
    else this.#grow(slot);
    this.#now.total++;
    if (--this.#untilSample > 0) return;
    // At random, so that a loop over some keys is not met by the beat
    this.#untilSample = 1 + Math.floor(this.#random() * (2 * sampled - 1));
    this.#sample(key);
  }

  /** @param routes the map as it is now */
  snapshot(): LoadSnapshot {
    const { forMs, slots, total } = this.#rates();
    const routes = this.#options.routes();
    const shards: Record<string, number> = {};
    const heavy: HotSlot[] = [];
    if (routes !== undefined) {
      for (const [slot, perSecond] of slots.entries()) {
        if (perSecond === 0) continue;
        const { shard } = routes.ofSlot(slot);
        shards[shard] = (shards[shard] ?? 0) + perSecond;
        heavy.push({ slot, shard, perSecond });
      }
    }
    heavy.sort((a, b) => b.perSecond - a.perSecond);
    return {
      forMs,
      perSecond: total,
      shards,
      slots: heavy.slice(0, shown),
      keys: this.#keys(routes).slice(0, shown),
    };
  }

  /** Calls a second of each slot. */
  perSlot(): SlotLoad {
    const { slots, total } = this.#rates();
    const heaviest = [...slots.entries()]
      .filter(([, perSecond]) => perSecond > 0)
      .sort(([, a], [, b]) => b - a)
      .slice(0, told);
    const sum = heaviest.reduce((all, [, perSecond]) => all + perSecond, 0);
    const rounded = heaviest.map(([slot, perSecond]) => [slot, Math.round(perSecond * 100) / 100] as const);
    return { slots: rounded, rest: Math.round(Math.max(0, total - sum) * 100) / 100 };
  }

  #sample(key: ShardKey): void {
    const routes = this.#options.routes();
    if (routes === undefined) return;
    const { order } = routes.slots;
    const texts = order.toTexts(key);
    this.#now.keys.add(texts.length === 1 ? texts[0]! : JSON.stringify(texts), sampled);
    this.#turn();
  }

  /** A window that has ended is the one before. */
  #turn(): void {
    const { clock, windowMs } = this.#options;
    const now = clock.now();
    if (now - this.#now.begunAt < windowMs) return;
    this.#now.endedAt = now;
    this.#before = this.#now;
    this.#now = new Window(now, this.#before.slots.length);
    this.#tell();
  }

  #rates(): { readonly forMs: number; readonly slots: Float64Array; readonly total: number } {
    this.#turn();
    const windows = this.#before === undefined ? [this.#now] : [this.#before, this.#now];
    const forMs = Math.max(1, this.#options.clock.now() - windows[0]!.begunAt);
    const slots = new Float64Array(Math.max(...windows.map(each => each.slots.length)));
    for (const window of windows)
      for (const [slot, count] of window.slots.entries()) slots[slot]! += (count * 1_000) / forMs;
    return { forMs, slots, total: (windows.reduce((sum, { total }) => sum + total, 0) * 1_000) / forMs };
  }

  #keys(routes: Routes | undefined): HotKey[] {
    if (routes === undefined) return [];
    const window = this.#before ?? this.#now;
    const forMs = Math.max(1, (window.endedAt ?? this.#options.clock.now()) - window.begunAt);
    return window.keys.top().flatMap(({ key, count, error }) => {
      const route = routeOf(routes, key);
      if (route === undefined || count === error) return [];
      return [{ key, slot: route.slot, shard: route.shard, perSecond: ((count - error) * 1_000) / forMs }];
    });
  }

  /** Says what was hot in the window that has ended. */
  #tell(): void {
    const { router, hotShare } = this.#options;
    const { total, begunAt, endedAt, slots } = this.#before!;
    const routes = this.#options.routes();
    if (!channels.hot.hasSubscribers || total < fewest || routes === undefined) return;
    const seconds = (endedAt! - begunAt) / 1_000;
    const all = total / seconds;
    for (const { key, slot, shard, perSecond } of this.#keys(routes)) {
      if (perSecond >= all * hotShare)
        channels.hot.publish({ router, kind: 'key', key, slot, shard, perSecond, share: perSecond / all });
    }
    const shards = new Map<string, number>();
    for (const [slot, count] of slots.entries()) {
      const { shard } = routes.ofSlot(slot);
      shards.set(shard, (shards.get(shard) ?? 0) + count);
      if (count >= total * hotShare)
        channels.hot.publish({
          router,
          kind: 'slot',
          slot,
          shard,
          perSecond: count / seconds,
          share: count / total,
        });
    }
    const its = new Set(routes.map.ranges.map(each => each.shard)).size;
    for (const [shard, count] of shards) {
      // Half as much again as each would have
      if (its > 1 && count * its >= total * 1.5)
        channels.hot.publish({
          router,
          kind: 'shard',
          shard,
          perSecond: count / seconds,
          share: count / total,
        });
    }
  }

  #grow(slot: number): void {
    const slots = new Float64Array(Math.max(slot + 1, this.#options.routes()?.map.slots ?? 0));
    slots.set(this.#now.slots);
    slots[slot] = 1;
    this.#now.slots = slots;
  }
}

function routeOf(routes: Routes, key: string): Route | undefined {
  const { type, order } = routes.slots;
  try {
    const values = order.fromTexts(typeof type === 'string' ? [key] : JSON.parse(key));
    return routes.of(typeof type === 'string' ? values[0]! : values);
  } catch {
    return undefined; // A directory has it no more
  }
}
