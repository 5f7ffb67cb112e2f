import { InvalidShardKeyError } from '../errors/routing.ts';
import type { ShardKey } from '../keys/key-column.ts';
import type { Slice } from '../keys/layout.ts';
import { slicesOf, slotsOf } from '../keys/slices.ts';
import { spaceOf } from '../keys/slot-space.ts';
import { Slots } from '../keys/slots.ts';
import { isCuttingOver } from './moving.ts';
import { ownersOf, type ShardMap } from './shard-map.ts';

/** Where a key is. */
export interface Route {
  readonly shard: string;
  readonly slot: number;
  /** Of the map that says so. */
  readonly epoch: number;
}

/** The keys of a slot that was cut are on several shards, or it has none. No shard has this name. */
const nowhere = '';

/** A map, ready for look-ups. */
export class Routes {
  readonly map: ShardMap;
  readonly slots: Slots;
  readonly #routes: readonly Route[];
  /** Since which epoch the slot is where it is, as far as this process has seen. */
  readonly #since: Uint32Array;
  readonly #changedAt: Float64Array;
  readonly #uncertain: Set<number>;
  /** By shard; made when the first query asks, which most maps of a process that moves slots never see. */
  #slices: ReadonlyMap<string, readonly Slice[]> | undefined;

  /**
   * @param now when this process has got it
   * @param before what this process went by until now
   */
  constructor(map: ShardMap, now: number, before?: Routes) {
    this.map = map;
    const isSameSpace =
      before !== undefined && JSON.stringify(before.slots.space) === JSON.stringify(spaceOf(map));
    this.slots = isSameSpace ? before.slots : new Slots(map.key, map.slots, map);
    const { epoch, cuts = [] } = map;
    const routes = ownersOf(map).map((shard, slot) => ({ shard, slot, epoch }));
    this.#since = new Uint32Array(map.slots).fill(epoch);
    this.#changedAt = new Float64Array(map.slots).fill(now);
    // Of an epoch that this process has not seen, slots may have gone and come back
    if (before !== undefined && epoch - before.map.epoch <= 1) {
      const origins = new Map(cuts.flatMap(({ slot, into }) => into.map(part => [part, slot] as const)));
      for (const { shard, slot } of routes) {
        // A part of a slot that this process has not seen cut was where that slot was
        let was: number | undefined = slot;
        while (was !== undefined && was >= before.map.slots) was = origins.get(was);
        if (was === undefined || before.#routes[was]!.shard !== shard) continue;
        this.#since[slot] = before.#since[was]!;
        this.#changedAt[slot] = before.#changedAt[was]!;
      }
    }
    // How old the rows of all its keys are, no replica knows that has got some of them since
    for (const { slot, into } of map.joins?.slice(before?.map.joins?.length ?? 0) ?? []) {
      for (const part of this.slots.live([into]))
        this.#changedAt[part] = Math.max(this.#changedAt[part]!, this.#changedAt[slot]!);
    }
    this.#uncertain = new Set(map.moves.filter(isCuttingOver).flatMap(({ slices }) => slotsOf(slices)));
    // Who holds the number of a slot that has no keys any more has them where all those are that got them
    for (const route of routes) {
      const { slot } = route;
      if (!this.slots.isRetired(slot)) continue;
      const parts = this.slots.live([slot]).filter(part => !this.slots.isRetired(part));
      const shards = new Set(parts.map(part => routes[part]!.shard));
      route.shard = shards.size === 1 ? [...shards][0]! : nowhere;
      const its = before !== undefined && slot < before.map.slots ? before.#routes[slot] : undefined;
      const isThere = its?.shard === route.shard && epoch - before!.map.epoch <= 1;
      this.#since[slot] = Math.max(
        isThere ? before!.#since[slot]! : epoch,
        ...parts.map(part => this.#since[part]!),
      );
      this.#changedAt[slot] = Math.max(
        isThere ? before!.#changedAt[slot]! : now,
        ...parts.map(part => this.#changedAt[part]!),
      );
      if (parts.some(part => this.#uncertain.has(part))) this.#uncertain.add(slot);
    }
    this.#routes = routes.map(route => Object.freeze(route));
  }

  /** @throws InvalidShardKeyError */
  of(key: ShardKey): Route {
    return this.#routes[this.slots.of(key)]!;
  }

  /** Those of its slots that have keys. */
  slicesOf(shard: string): readonly Slice[] {
    if (this.#slices === undefined) {
      const slots = new Map<string, number[]>();
      for (const { shard: owner, slot } of this.#routes) {
        if (this.slots.isRetired(slot)) continue;
        const its = slots.get(owner);
        if (its === undefined) slots.set(owner, [slot]);
        else its.push(slot);
      }
      this.#slices = new Map(Array.from(slots, ([owner, its]) => [owner, slicesOf(its)]));
    }
    return this.#slices.get(shard) ?? [];
  }

  /** @throws InvalidShardKeyError */
  ofAll(keys: readonly ShardKey[]): Route[] {
    return keys.map(key => this.of(key));
  }

  /** Of a slot that has no keys any more, and whose former keys are on several shards or nowhere, the shard is none that there is. */
  ofSlot(slot: number): Route {
    return this.#routes[slot]!;
  }

  /** The slot of an id, of which a map with fewer slots takes the low bits. @throws InvalidShardKeyError */
  ofId(slot: number): Route {
    const route = this.#routes[slot] ?? this.#routes[slot & (this.map.slots - 1)];
    if (route !== undefined && route.shard !== nowhere) return route;
    throw new InvalidShardKeyError(
      slot,
      'an id whose slot is on one shard',
      'the slot was cut: route by the key',
    );
  }

  /** Changes whenever the slot may have changed hands. */
  since(slot: number): number {
    return this.#since[slot]!;
  }

  /** When this process has learned that the slot, or without one the last of all, may have changed hands, at the latest. */
  changedAt(slot?: number): number {
    return slot === undefined ? Math.max(...this.#changedAt) : this.#changedAt[slot]!;
  }

  /** Whether any slot may. */
  get isAnyUncertain(): boolean {
    return this.#uncertain.size > 0;
  }

  /** Whether the slot may change hands without this process being waited for. */
  isUncertain(slot: number): boolean {
    return this.#uncertain.has(slot);
  }
}
