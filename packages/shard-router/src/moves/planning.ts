import { refused } from '@ashlar/core';
import { spaceOf } from '../keys/slot-space.ts';
import { Slots } from '../keys/slots.ts';
import { loadWeights } from '../load/weights.ts';
import { ownersOf, type ShardMap } from '../map/shard-map.ts';
import { busyObstacles } from './busy-slots.ts';
import type { MovePlan, Obstacle } from './move-backend.ts';
import { movedTables } from './moved-tables.ts';
import type { MoverSettings } from './mover-options.ts';
import { Impossible } from './parts/impossible.ts';
import { busyCuts } from './parts/parting.ts';
import { type MoveRequest, type Parted, parted, type SlotMove } from './planner.ts';

/** A move that is not begun: what it takes, and what stands in its way. */
export interface PlannedMove extends SlotMove, MovePlan {}

/** What a request comes to. */
export interface Planned {
  readonly plans: readonly PlannedMove[];
  /** Whether slots are cut, or added, for it. */
  readonly isParted: boolean;
  /** The map as it is, and with the slots that are moved. */
  readonly before: ShardMap;
  readonly after: ShardMap;
  /** Of the whole request, whatever its moves meet. */
  readonly inTheWay: readonly Obstacle[];
}

/** Changes nothing. @throws InvalidOptionError for a request that cannot be, the error of the store or of a shard */
export async function planned(
  settings: MoverSettings,
  map: ShardMap,
  asked: MoveRequest,
  signal: AbortSignal,
): Promise<Planned> {
  const { backend, name, tables } = settings;
  const request = await weighed(settings, map, asked, signal);
  const to = partedFor(map, request);
  const known = new Set(map.ranges.map(({ shard }) => shard));
  const first = to.map.ranges.find(({ shard }) => !known.has(shard));
  const unknown = first === undefined ? [] : await unknownTo(settings, first.shard);
  const inTheWay = [...busyCuts(map, to.map), ...unknown];
  const plans: PlannedMove[] = [];
  for (const move of to.moves) {
    const moved = { ...spaceOf(to.map), tables: movedTables(to.map, move.slices, tables) };
    const plan = await backend.plan({ id: 'plan', router: name, ...move, ...moved }, signal);
    const busy = [...busyObstacles(to.map, move), ...(await unknownTo(settings, move.to))];
    plans.push({ ...move, ...plan, obstacles: [...inTheWay, ...busy, ...plan.obstacles] });
  }
  return { plans, isParted: to.map !== map, before: map, after: to.map, inTheWay };
}

/** The map with the slots that the request moves. @throws InvalidOptionError */
export function partedFor(map: ShardMap, request: MoveRequest): Parted {
  try {
    return parted(map, request);
  } catch (error) {
    throw asRefused(error, 'request', 'a move that can be', request);
  }
}

/** An error for the caller, who has asked for what cannot be. */
export function asRefused(error: unknown, option: string, wanted: string, value: unknown): unknown {
  return error instanceof Impossible ? refused(option, wanted, value, error.message) : error;
}

/** The request with the weights of what it is to balance by. */
async function weighed(
  { maps, backend, tables }: MoverSettings,
  map: ShardMap,
  request: MoveRequest,
  signal: AbortSignal,
): Promise<MoveRequest> {
  if ((request.kind !== 'rebalance' && request.kind !== 'add') || request.by === undefined) return request;
  if (request.weights !== undefined) throw refused('request', 'either `by` or `weights`', request);
  if (request.by === 'load') {
    const loads = (await maps.routers()).flatMap(({ load }) => (load === undefined ? [] : [load]));
    return { ...request, weights: loadWeights(new Slots(map.key, map.slots, map), loads) };
  }
  if (backend.sizes === undefined)
    throw refused('request', 'by load or by slots', request, 'the backend knows no sizes');
  const owners = ownersOf(map);
  const all = movedTables(map, [{ from: 0, to: map.slots }], tables);
  const weights = Array<number>(map.slots).fill(0);
  for (const shard of new Set(owners)) {
    const sizes = await backend.sizes(shard, { ...spaceOf(map), tables: all }, signal);
    // A move leaves copies of others there for a while
    for (const [slot, bytes] of sizes) if (owners[slot] === shard) weights[slot] = Math.round(bytes);
  }
  return { ...request, weights };
}

async function unknownTo({ maps }: MoverSettings, shard: string): Promise<readonly Obstacle[]> {
  const routers = (await maps.routers()).filter(({ shards }) => !shards.includes(shard));
  const words = `${routers.length} routers do not know the shard ${shard}: give it to all of them first`;
  return routers.length === 0 ? [] : [{ kind: 'router', shard, words }];
}
