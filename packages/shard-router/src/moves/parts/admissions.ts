import type { ShardKey } from '../../keys/key-column.ts';
import { type Admission, KeyOrder, type KeyTexts } from '../../keys/layout.ts';
import { isIn } from '../../keys/slices.ts';
import type { MapChange } from '../../map/maps.ts';
import { ownersOf, type ShardMap } from '../../map/shard-map.ts';
import type { MoveContext, MoveSpec } from '../move-backend.ts';
import type { MoverSettings } from '../mover-options.ts';
import { confirmed } from '../running/routers.ts';
import { alone, contextOf, directoryOf, entriesChanged, entrySlot, specAt } from './entries.ts';
import { retired } from './forgetting.ts';
import { withOwnSlot } from './parting.ts';

/**
 * Changes the map for a new entry, when its shard lets its rows in and no router goes by an entry of before. The map says first that this is under
 * way: where it comes to nothing, also since the process has died, the shard is to refuse them again.
 */
export async function admitted(
  settings: MoverSettings,
  key: KeyTexts,
  spec: MoveSpec,
  context: MoveContext,
  change: MapChange,
): Promise<void> {
  const { backend, maps, clock, routersMs } = settings;
  const its: Admission = { key, shard: spec.to, token: String(context.token) };
  const { layout } = await maps.change(map => withAdmission(map, its, its));
  const forgotAt = (layout?.kind === 'directory' && layout.forgotAt) || 0;
  try {
    await confirmed(maps, 'to a new entry', forgotAt, routersMs, clock, context.signal, () => {});
    await backend.admit!(spec, context);
    await maps.change(map => {
      const found = admissionIn(map, its);
      if (found?.token !== its.token || found.isOver) throw entriesChanged();
      const without = withAdmission(map, its, undefined);
      // Nothing is left to do when a try whose answer was lost has done it
      return change(without) ?? without;
    });
  } catch (error) {
    await takenBack(settings, its, context).catch(() => {}); // Or by whoever watches
    throw error;
  }
}

/** Takes back what was admitted for entries that do not come, since their processes have died. */
export function settleAdmissions(settings: MoverSettings, stop: AbortSignal): Promise<void> {
  return alone(settings, stop, async (signal, token) => {
    const map = await settings.maps.read();
    for (const each of (map && directoryOf(map)?.admissions) ?? [])
      await takenBack(settings, each, contextOf(signal, token));
  });
}

/** The shard refuses the key again, unless it has it by now. */
async function takenBack(settings: MoverSettings, its: Admission, context: MoveContext): Promise<void> {
  const { backend, maps } = settings;
  const over: Admission = { ...its, token: String(context.token), isOver: true };
  // The change of the map that makes the entry may still be on its way: after this one it changes nothing
  const map = await maps.change(now =>
    admissionIn(now, its) === undefined ? undefined : withAdmission(now, its, over),
  );
  if (admissionIn(map, its) === undefined) return;
  const key = keyOf(map, its);
  const placed = withOwnSlot(map, key, its.shard);
  const spec = specAt(settings, placed, its.shard, entrySlot(placed, key)!);
  if (!isOrComes(map, its)) await retired(settings, spec, true, context);
  let isHere = false;
  await maps.change(now => {
    if (admissionIn(now, its)?.token !== over.token) return undefined;
    isHere = isOrComes(now, its);
    return isHere ? undefined : withAdmission(now, its, undefined);
  });
  if (!isHere) return;
  // A move has brought it there
  await backend.admit!(spec, context);
  await maps.change(now =>
    admissionIn(now, its)?.token === over.token ? withAdmission(now, its, undefined) : undefined,
  );
}

/** Whether the map gives the key to the shard, or a move is to. */
function isOrComes(map: ShardMap, its: Admission): boolean {
  const slot = entrySlot(map, keyOf(map, its));
  if (slot === undefined) return false;
  const isThere = ownersOf(map)[slot] === its.shard;
  return isThere || map.moves.some(({ to, slices }) => to === its.shard && isIn(slices, slot));
}

function keyOf({ key }: ShardMap, { key: texts }: Admission): ShardKey {
  const values = new KeyOrder(key).fromTexts(texts);
  return typeof key === 'string' ? values[0]! : values;
}

function admissionIn(map: ShardMap, its: Admission): Admission | undefined {
  return directoryOf(map)?.admissions?.find(each => isOfSame(each, its));
}

/** The map with another admission in place of this one, or without. */
function withAdmission(map: ShardMap, its: Admission, next: Admission | undefined): ShardMap {
  const { admissions = [], ...layout } = directoryOf(map)!;
  const all = [...admissions.filter(each => !isOfSame(each, its)), ...(next === undefined ? [] : [next])];
  return { ...map, layout: { ...layout, ...(all.length > 0 && { admissions: all }) } };
}

function isOfSame(a: Admission, b: Admission): boolean {
  return a.shard === b.shard && JSON.stringify(a.key) === JSON.stringify(b.key);
}
