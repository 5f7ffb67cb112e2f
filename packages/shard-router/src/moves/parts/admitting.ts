import type { MapChange } from '../../map/maps.ts';
import { ownersOf, type ShardMap } from '../../map/shard-map.ts';
import type { MoverSettings } from '../mover-options.ts';
import type { MoveRequest } from '../planner.ts';
import { admitted } from './admissions.ts';
import { alone, contextOf, directoryOf, entriesChanged, entrySlot, reopen, specAt } from './entries.ts';

/** What a request for entries of a directory comes to. */
export interface Asked {
  readonly request: MoveRequest;
  readonly before: ShardMap;
  readonly after: ShardMap;
}

/**
 * Changes the map for a request. Before entries are new in it: no router goes by an entry of before, and the shards refuse nothing of theirs.
 * A key that is placed where it is may be written there, whatever a call of `forget` that has died has left.
 *
 * @throws MoveRefusedError when others have changed the entries meanwhile
 */
export async function admitting(
  settings: MoverSettings,
  { request, before, after }: Asked,
  signal: AbortSignal,
  change: MapChange,
): Promise<void> {
  const { backend, maps } = settings;
  const [was, is] = [directoryOf(before), directoryOf(after)];
  if (was === undefined || is === undefined || is.rest !== undefined || backend.admit === undefined)
    return void (await maps.change(change));
  const known = new Set(was.entries.map(({ key }) => JSON.stringify(key)));
  const added = is.entries.find(({ key }) => !known.has(JSON.stringify(key)));
  const kept = request.kind === 'place' ? entrySlot(before, request.key) : undefined;
  const stays = kept !== undefined && request.kind === 'place' && ownersOf(before)[kept] === request.to;
  if (added === undefined && !stays) return void (await maps.change(change));
  await alone(settings, signal, async (leased, token) => {
    const context = contextOf(leased, token);
    const now = await maps.read();
    if (now === undefined || textOf(now) !== textOf(before)) throw entriesChanged();
    const owners = ownersOf(after);
    if (added !== undefined) {
      const spec = specAt(settings, after, owners[added.slot]!, added.slot);
      return admitted(settings, added.key, spec, context, change);
    }
    if (stays) await reopen(settings, request.key, specAt(settings, before, owners[kept]!, kept), context);
    await maps.change(change);
  });
}

/** The entries of a map, whatever else is under way. */
function textOf(map: ShardMap): string {
  const { admissions: _, ...its } = directoryOf(map) ?? {};
  return JSON.stringify(its);
}
