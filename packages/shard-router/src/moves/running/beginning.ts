import { MoveRefusedError } from '../../errors/moves.ts';
import { spaceOf } from '../../keys/slot-space.ts';
import type { MapChange } from '../../map/maps.ts';
import type { Moving } from '../../map/moving.ts';
import { busyObstacles } from '../busy-slots.ts';
import { movedNames } from '../moved-tables.ts';
import type { MoverSettings } from '../mover-options.ts';
import { admitting } from '../parts/admitting.ts';
import { isAdmitted } from '../parts/entries.ts';
import { busyCuts } from '../parts/parting.ts';
import type { MoveRequest, SlotMove } from '../planner.ts';
import { type Planned, partedFor } from '../planning.ts';

/** Puts the moves of a plan into the map, if that has not changed since. @throws MoveRefusedError: then none is begun */
export async function begin(
  settings: MoverSettings,
  { isParted, plans, before, after, inTheWay: busy }: Planned,
  request: MoveRequest,
  signal: AbortSignal,
): Promise<readonly Moving[]> {
  const obstacles = [...busy, ...plans.flatMap(plan => plan.obstacles)];
  if (obstacles.length > 0) throw new MoveRefusedError('slots cannot move', obstacles);
  const { tables } = settings;
  const moves = plans.map(
    ({ from, to, slices }): Moving => ({
      id: newId(),
      from,
      to,
      slices,
      step: 'prepare',
      token: '0',
      back: false,
    }),
  );
  const change: MapChange = map => {
    // A try whose answer was lost has begun them
    const known = new Set(map.moves.map(({ id }) => id));
    if (moves.length > 0 && moves.every(({ id }) => known.has(id))) return undefined;
    // Slots may have been cut since, or have other numbers
    const now = isParted ? partedFor(map, request) : { map, moves: plans };
    if (moves.length === 0 && now.map === map) return undefined;
    const isSame =
      JSON.stringify(now.moves.map(route)) === JSON.stringify(plans.map(route)) &&
      (!isParted || isAdmitted(before, map));
    const words = 'the slots of the map have changed meanwhile: plan again';
    const changed = isSame ? [] : [{ kind: 'map_changed', shard: '', words }];
    const inTheWay = [
      ...changed,
      ...busyCuts(map, now.map),
      ...moves.flatMap(move => busyObstacles(now.map, move)),
    ];
    if (inTheWay.length > 0) throw new MoveRefusedError('slots cannot move', inTheWay);
    const begun = moves.map(move => ({
      ...move,
      tables: movedNames(spaceOf(now.map), move.slices, tables),
    }));
    return { ...now.map, moves: [...map.moves, ...begun] };
  };
  await admitting(settings, { request, before, after }, signal, change);
  return moves;
}

function route({ from, to, slices }: SlotMove): SlotMove {
  return { from, to, slices };
}

/** Letters and digits alone: it names things in databases. */
function newId(): string {
  return crypto.randomUUID().replaceAll('-', '').slice(0, 16);
}
