import { onAbort } from '@ashlar/core';
import { Lease } from '@ashlar/store';
import { MoveRefusedError } from '../../errors/moves.ts';
import type { ShardKey } from '../../keys/key-column.ts';
import { KeyOrder, type Layout } from '../../keys/layout.ts';
import { spaceOf } from '../../keys/slot-space.ts';
import { ownersOf, type ShardMap } from '../../map/shard-map.ts';
import type { MoveContext, MoveSpec } from '../move-backend.ts';
import { movedTables } from '../moved-tables.ts';
import type { MoverSettings } from '../mover-options.ts';

type Directory = Extract<Layout, { kind: 'directory' }>;

/** Whether what was admitted for new entries in the one map holds in the other. */
export function isAdmitted(before: ShardMap, now: ShardMap): boolean {
  return directoryOf(before)?.forgotAt === directoryOf(now)?.forgotAt;
}

/**
 * Lets a key be written at its shard again, which refuses it since a call of `forget`; nothing, when it is not there any more. The map says so
 * first: a call that stands still between the shard and the map does not go on then.
 */
export async function reopen(
  settings: MoverSettings,
  key: ShardKey,
  spec: MoveSpec,
  context: MoveContext,
): Promise<void> {
  const [{ from: slot }] = spec.slices as [MoveSpec['slices'][number]];
  let isThere = false;
  await settings.maps.change(map => {
    const its = directoryOf(map);
    isThere = its !== undefined && entrySlot(map, key) === slot && ownersOf(map)[slot] === spec.from;
    return isThere ? { ...map, layout: { ...its!, forgotAt: map.revision + 1 } } : undefined;
  });
  if (isThere) await settings.backend.admit?.(spec, context);
}

/**
 * Runs what closes or opens entries at shards, one at a time: or one would open what another has closed. One that has stood still for longer than
 * its lease learns of that too late: the shards go by the token.
 */
export async function alone<T>(
  { store, name, leaseMs, clock, random }: MoverSettings,
  signal: AbortSignal,
  work: (signal: AbortSignal, token: bigint) => Promise<T>,
): Promise<T> {
  const of = `shards:${encodeURIComponent(name)}:entries`;
  const lease = await Lease.acquire(store, of, { ttlMs: leaseMs, signal, clock, random });
  const stop = new AbortController();
  const unlink = [signal, lease.signal].map(each => onAbort(each, reason => stop.abort(reason)));
  try {
    return await work(stop.signal, lease.token);
  } finally {
    for (const each of unlink) each();
    await lease[Symbol.asyncDispose]();
  }
}

/** Somebody was faster. */
export function entriesChanged(): MoveRefusedError {
  const words = 'the entries of the map have changed meanwhile: plan again';
  return new MoveRefusedError('slots cannot move', [{ kind: 'map_changed', shard: '', words }]);
}

export function directoryOf({ layout }: Pick<ShardMap, 'layout'>): Directory | undefined {
  return layout?.kind === 'directory' ? layout : undefined;
}

/** The slot of a key that has an entry. @throws InvalidShardKeyError */
export function entrySlot(map: ShardMap, key: ShardKey): number | undefined {
  const name = JSON.stringify(new KeyOrder(map.key).toTexts(key));
  return directoryOf(map)?.entries.find(entry => JSON.stringify(entry.key) === name)?.slot;
}

/** One slot at its shard, for what is no move. */
export function specAt(
  { name, tables }: Pick<MoverSettings, 'name' | 'tables'>,
  map: ShardMap,
  shard: string,
  slot: number,
): MoveSpec {
  const slices = [{ from: slot, to: slot + 1 }];
  const id = `entry${globalThis.crypto.randomUUID().slice(0, 8)}`;
  return {
    id,
    router: name,
    from: shard,
    to: shard,
    slices,
    ...spaceOf(map),
    tables: movedTables(map, slices, tables),
  };
}

/** For what is no move. */
export function contextOf(signal: AbortSignal, token: bigint): MoveContext {
  return { token, signal, progress() {} };
}
