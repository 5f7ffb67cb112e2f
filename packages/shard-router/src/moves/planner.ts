import type { ShardKey } from '../keys/key-column.ts';
import { slicesOf } from '../keys/slices.ts';
import { isOfTables } from '../keys/slot-space.ts';
import { Slots } from '../keys/slots.ts';
import { ownersOf, type ShardMap } from '../map/shard-map.ts';
import type { Slice } from './move-backend.ts';
import { Impossible } from './parts/impossible.ts';
import { withJoin } from './parts/joining.ts';
import { withBound, withOwnSlot } from './parts/parting.ts';

/** Slots that are to go from one shard to another. */
export interface SlotMove {
  readonly from: string;
  readonly to: string;
  readonly slices: readonly Slice[];
  /** Of plans by weights: what the slots weigh together. */
  readonly weight?: number;
}

/**
 * What is to become of the slots:
 *
 * - `move`: these slots, or this part of those that `from` has (the last ones; default: all), go to `to`.
 * - `split`: a part of the slots of `shard` goes to each of `into`, so that all have the same.
 * - `merge`: all slots of `shards` go to `into`.
 * - `drain`: all slots of `shard` go to the others, in equal parts.
 * - `add`: `shard` gets a part of every other shard's slots, so that all have the same.
 * - `rebalance`: as few slots as possible, so that all of `shards` (default: those of the map) have the same, to within the heaviest slot: `by`
 *   load or size, or by `weights` of slots (default: each slot the same).
 * - With `zones`, `drain`, `add` and `rebalance` leave each slot in the zone where it is.
 * - `place`: the key gets a slot of its own, which goes to `to`; of a directory that does not have it, as a new entry.
 * - `isolate`: the key is alone on `to` (default: where it is): it gets a slot of its own, and all others of `to` go to the other shards.
 * - `tables`: these tables go to `to` together, where whole tables are in slots.
 * - `cut`: a range begins at `at`, which goes to `to` (default: it stays where it is).
 * - `join`: the opposite of `cut`, `place` and `isolate`, without a move: at `at` no range begins any more, or the key has no slot of its own
 *   any more. The two slots must be on one shard.
 */
export type MoveRequest =
  | { readonly kind: 'move'; readonly from: string; readonly to: string; readonly slices: readonly Slice[] }
  | { readonly kind: 'move'; readonly from: string; readonly to: string; readonly part?: number }
  | { readonly kind: 'split'; readonly shard: string; readonly into: readonly string[] }
  | { readonly kind: 'merge'; readonly shards: readonly string[]; readonly into: string }
  | { readonly kind: 'drain'; readonly shard: string; readonly zones?: Zones }
  | { readonly kind: 'place'; readonly key: ShardKey; readonly to: string }
  | { readonly kind: 'isolate'; readonly key: ShardKey; readonly to?: string }
  | { readonly kind: 'tables'; readonly tables: readonly string[]; readonly to: string }
  | { readonly kind: 'cut'; readonly at: ShardKey; readonly to?: string }
  | { readonly kind: 'join'; readonly at: ShardKey }
  | ({ readonly kind: 'add'; readonly shard: string } & Balance)
  | ({ readonly kind: 'rebalance'; readonly shards?: readonly string[] } & Balance);

/** The zone of each shard. Slots never leave their zone. */
export type Zones = Readonly<Record<string, string>>;

/** What is balanced, and within what. */
export interface Balance {
  /** `load`: calls a second, as the routers count them; `size`: bytes, as the shards have them. Default: each slot the same. */
  readonly by?: 'load' | 'size';
  /** What each slot weighs, in a unit of your own, in place of `by`. */
  readonly weights?: readonly number[];
  readonly zones?: Zones;
}

/** What a request needs: the map with the slots that are moved, and the moves. */
export interface Parted {
  readonly map: ShardMap;
  readonly moves: readonly SlotMove[];
}

/** What a request needs. Changes nothing. @throws Impossible for what cannot be, InvalidShardKeyError */
export function parted(map: ShardMap, request: MoveRequest): Parted {
  switch (request.kind) {
    case 'place': {
      const its = withOwnSlot(map, request.key, request.to);
      return { map: its, moves: movesOfKey(its, request.key, request.to) };
    }
    case 'isolate': {
      const its = withOwnSlot(map, request.key, request.to);
      const slots = new Slots(its.key, its.slots, its);
      const own = slots.of(request.key);
      const owners = liveOwners(its, slots);
      const to = request.to ?? owners[own]!;
      const others = [...new Set(owners)].filter(name => name !== undefined && name !== to) as string[];
      const away = owners.map((owner, slot) => (slot === own ? undefined : owner));
      if (others.length === 0 && away.includes(to))
        throw new Impossible(`there is no shard but ${to} for the other keys`);
      const moves = away.includes(to) ? balanced(away, others, undefined, false) : [];
      return { map: its, moves: [...moves, ...movesOfKey(its, request.key, to)] };
    }
    case 'tables': {
      if (!isOfTables(map)) throw new Impossible('the map has no whole tables in its slots');
      const slots = new Slots(map.key, map.slots, map);
      const owners = ownersOf(map);
      const all = [...new Set(request.tables.map(table => slots.of(table)))].filter(
        slot => owners[slot] !== request.to,
      );
      const moves = [...new Set(all.map(slot => owners[slot]!))].map(from => ({
        from,
        to: request.to,
        slices: slicesOf(all.filter(slot => owners[slot] === from)),
      }));
      return { map, moves };
    }
    case 'cut': {
      const its = withBound(map, request.at);
      return { map: its, moves: movesOfKey(its, request.at, request.to) };
    }
    case 'join':
      return { map: withJoin(map, request.at), moves: [] };
    default:
      return { map, moves: slotMoves(map, request) };
  }
}

/** The slot of a key goes to a shard. */
function movesOfKey(map: ShardMap, key: ShardKey, to: string | undefined): SlotMove[] {
  const slot = new Slots(map.key, map.slots, map).of(key);
  const from = ownersOf(map)[slot]!;
  return to === undefined || to === from ? [] : [{ from, to, slices: [{ from: slot, to: slot + 1 }] }];
}

/** The shard of each slot, in order; undefined of those that were cut. */
function liveOwners(map: ShardMap, slots: Slots): (string | undefined)[] {
  return ownersOf(map).map((owner, slot) => (slots.isRetired(slot) ? undefined : owner));
}

type PartRequest = Extract<MoveRequest, { kind: 'place' | 'isolate' | 'tables' | 'cut' | 'join' }>;

/** The moves of a request that leaves the slots as they are; empty when it is so already. @throws Impossible for what cannot be */
export function slotMoves(map: ShardMap, request: Exclude<MoveRequest, PartRequest>): SlotMove[] {
  const its = new Slots(map.key, map.slots, map);
  const owners = liveOwners(map, its);
  const names = [...new Set(owners)].filter(name => name !== undefined) as string[];
  const slotsOn = (shard: string) => {
    const slots = its.inOrder().filter(slot => owners[slot] === shard);
    if (slots.length === 0) throw new Impossible(`shard ${shard} has no slots`);
    return slots;
  };
  switch (request.kind) {
    case 'move': {
      const { from, to } = request;
      if (from === to) throw new Impossible(`the slots of ${from} are on ${from}`);
      if ('slices' in request) return [{ from, to, slices: request.slices }];
      const { part = 1 } = request;
      if (!(part > 0 && part <= 1)) throw new Impossible(`a part is above 0 and at most 1, got ${part}`);
      const slots = slotsOn(from);
      return [{ from, to, slices: slicesOf(slots.slice(slots.length - Math.ceil(slots.length * part))) }];
    }
    case 'split': {
      const { shard, into } = request;
      const slots = slotsOn(shard);
      const size = Math.floor(slots.length / (into.length + 1));
      if (into.length === 0 || into.includes(shard) || size === 0)
        throw new Impossible(`the ${slots.length} slots of ${shard} cannot be split into ${into.join(', ')}`);
      return into.map((to, i) => {
        const end = slots.length - size * (into.length - 1 - i);
        return { from: shard, to, slices: slicesOf(slots.slice(end - size, end)) };
      });
    }
    case 'merge':
      return request.shards
        .filter(shard => shard !== request.into)
        .map(from => ({ from, to: request.into, slices: slicesOf(slotsOn(from)) }));
    case 'drain': {
      const others = names.filter(name => name !== request.shard);
      if (others.length === 0) throw new Impossible(`there is no shard but ${request.shard}`);
      slotsOn(request.shard);
      return inZones(request.zones, owners, others, undefined);
    }
    case 'add':
      return inZones(request.zones, owners, [...new Set([...names, request.shard])], request.weights);
    case 'rebalance':
      return inZones(request.zones, owners, request.shards ?? names, request.weights);
  }
}

/** Balances each zone by itself. @throws Impossible for a shard without a zone, and for slots whose zone has no shard for them */
function inZones(
  zones: Zones | undefined,
  owners: readonly (string | undefined)[],
  shards: readonly string[],
  weights: readonly number[] | undefined,
): SlotMove[] {
  if (zones === undefined) return balanced(owners, shards, weights);
  const zoneOf = (shard: string) => {
    if (Object.hasOwn(zones, shard)) return zones[shard]!;
    throw new Impossible(`shard ${shard} has no zone`);
  };
  const zoned = new Map<string, string[]>();
  for (const shard of shards) zoned.set(zoneOf(shard), [...(zoned.get(zoneOf(shard)) ?? []), shard]);
  const left = owners.find(owner => owner !== undefined && !zoned.has(zoneOf(owner)));
  if (left !== undefined)
    throw new Impossible(`there is no other shard in ${zoneOf(left)}, the zone of ${left}`);
  return [...zoned].flatMap(([zone, its]) =>
    balanced(
      owners.map(owner => (owner !== undefined && zoneOf(owner) === zone ? owner : undefined)),
      its,
      weights,
    ),
  );
}

/**
 * Takes from the heaviest what the lightest can take without becoming heavier than it was.
 *
 * @param evensOut or only slots of other shards move
 */
function balanced(
  owners: readonly (string | undefined)[],
  shards: readonly string[],
  weights: readonly number[] | undefined,
  evensOut = true,
): SlotMove[] {
  if (weights !== undefined && (weights.length !== owners.length || !weights.every(each => each >= 0)))
    throw new Impossible(`weights are ${owners.length} numbers of at least 0, one for each slot`);
  const weightOf = (slot: number) => weights?.[slot] ?? 1;
  const has = new Map<string, number[]>(shards.map(shard => [shard, []]));
  const homeless: number[] = [];
  for (const [slot, owner] of owners.entries())
    if (owner !== undefined) (has.get(owner) ?? homeless).push(slot);
  const load = new Map(
    [...has].map(([shard, slots]) => [shard, slots.reduce((sum, slot) => sum + weightOf(slot), 0)]),
  );
  const byLoad = () => [...load].sort(([a, left], [b, right]) => left - right || (a < b ? -1 : 1));
  const goal = new Map<number, string>();
  const give = (slot: number, to: string) => {
    goal.set(slot, to);
    load.set(to, load.get(to)! + weightOf(slot));
  };
  for (const slot of [...homeless].sort((a, b) => weightOf(b) - weightOf(a))) give(slot, byLoad()[0]![0]);
  while (evensOut) {
    const order = byLoad();
    const [lightest, least] = order[0]!;
    const [heaviest, most] = order.at(-1)!;
    // The last slot that makes the two more equal: the heaviest that fits, of equals the last
    let best: number | undefined;
    for (const slot of has.get(heaviest)!) {
      const weight = weightOf(slot);
      if (goal.has(slot) || weight === 0 || least + weight >= most) continue;
      if (best === undefined || weight >= weightOf(best)) best = slot;
    }
    if (best === undefined) break;
    load.set(heaviest, most - weightOf(best));
    give(best, lightest);
  }
  const moves = new Map<string, { from: string; to: string; slots: number[] }>();
  for (const [slot, to] of goal) {
    const from = owners[slot]!;
    const name = JSON.stringify([from, to]);
    const move = moves.get(name) ?? { from, to, slots: [] };
    moves.set(name, move);
    move.slots.push(slot);
  }
  return [...moves.values()].map(({ from, to, slots }) => ({
    from,
    to,
    slices: slicesOf(slots),
    ...(weights && { weight: slots.reduce((sum, slot) => sum + weightOf(slot), 0) }),
  }));
}
