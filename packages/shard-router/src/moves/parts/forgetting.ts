import { Backoff } from '@ashlar/core';
import { FenceBusyError, MoveRefusedError } from '../../errors/moves.ts';
import type { ShardKey } from '../../keys/key-column.ts';
import { type DirectoryEntry, KeyOrder, type Layout } from '../../keys/layout.ts';
import { isIn } from '../../keys/slices.ts';
import { spaceOf } from '../../keys/slot-space.ts';
import { ownersOf, rangesOf, type ShardMap, withRetired } from '../../map/shard-map.ts';
import type { MoveContext, MoveSpec } from '../move-backend.ts';
import { movedTables } from '../moved-tables.ts';
import type { MoverSettings } from '../mover-options.ts';
import type { Obstacle } from '../obstacle.ts';
import { confirmed } from '../running/routers.ts';
import { Impossible } from './impossible.ts';

export interface ForgetOptions {
  /** `keep`: rows of the key stay at its shard, and nobody is routed to them until the key is placed there again. Default: `refuse`. */
  readonly rows?: 'refuse' | 'keep';
}

type Directory = Extract<Layout, { kind: 'directory' }>;

/** How often the fence of the shard is tried, while transactions on its tables do not end. */
const attempts = 5;

/**
 * Takes the entry of a key out of the directory. The shard refuses its rows first: so no router that does not know yet, and nobody past the
 * routers, writes what nobody would find. Does nothing when there is no entry.
 *
 * @throws Impossible, MoveRefusedError, FenceBusyError, the error of the store or of the shard
 */
export async function forget(
  settings: MoverSettings,
  read: () => Promise<ShardMap>,
  key: ShardKey,
  keepsRows: boolean,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const map = await read();
    const slot = slotOfEntry(map, key);
    if (slot === undefined) return;
    refuseBusy(map, slot);
    const spec = specAt(settings, map, ownersOf(map)[slot]!, slot);
    const tables = await retired(settings, spec, keepsRows, signal);
    if (tables.length > 0 && !keepsRows) {
      // An earlier call may have died before the map was changed
      await settings.backend.admit?.(spec, contextOf(signal));
      const words = (table: string) =>
        `${spec.from} has rows of it in ${table}: delete or move them, or forget it with \`rows: 'keep'\``;
      const found = tables.map(table => ({ kind: 'rows', shard: spec.from, table, words: words(table) }));
      throw new MoveRefusedError('the key cannot be forgotten', found);
    }
    const { forgotAt } = directoryOf(map)!;
    let isDone = false;
    try {
      await settings.maps.change(now => {
        isDone = directoryOf(now)?.forgotAt === forgotAt && slotOfEntry(now, key) === slot;
        if (!isDone) return undefined;
        refuseBusy(now, slot);
        return without(now, slot, tables.length > 0);
      });
    } catch (error) {
      // Its answer may be lost: while the entry is there, its rows may be written
      const now = await read().catch(() => undefined);
      if (now !== undefined && slotOfEntry(now, key) === slot)
        await settings.backend.admit?.(spec, contextOf(signal)).catch(() => {});
      throw error;
    }
    if (isDone) return;
  }
}

/** Before entries are new in the map: no router goes by an entry of before, and the shards refuse nothing of theirs. */
export async function admitEntries(
  { backend, maps, clock, routersMs, ...settings }: MoverSettings,
  before: ShardMap,
  after: ShardMap,
  signal: AbortSignal,
): Promise<void> {
  const [was, is] = [directoryOf(before), directoryOf(after)];
  if (was === undefined || is === undefined || backend.admit === undefined) return;
  const known = new Set(was.entries.map(({ key }) => JSON.stringify(key)));
  const owners = ownersOf(after);
  for (const { slot } of is.entries.filter(each => !known.has(JSON.stringify(each.key)))) {
    await confirmed(maps, 'to a new entry', was.forgotAt ?? 0, routersMs, clock, signal, () => {});
    await backend.admit(specAt(settings, after, owners[slot]!, slot), contextOf(signal));
  }
}

/** Whether what was admitted for new entries in the one map holds in the other. */
export function isAdmitted(before: ShardMap, now: ShardMap): boolean {
  return directoryOf(before)?.forgotAt === directoryOf(now)?.forgotAt;
}

/** @throws FenceBusyError */
async function retired(
  { backend, clock, random, fenceMs }: MoverSettings,
  spec: MoveSpec,
  keepsRows: boolean,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (backend.retire === undefined) throw new Impossible('shards of this kind forget no keys');
  const pauses = new Backoff({ firstMs: 50, maxMs: 1_000 }, random);
  for (;;) {
    try {
      return await backend.retire(spec, contextOf(signal), { withinMs: fenceMs, keepsRows });
    } catch (error) {
      if (!(error instanceof FenceBusyError) || pauses.failures + 1 >= attempts) throw error;
    }
    await clock.sleep(pauses.nextMs(), signal);
  }
}

function without(map: ShardMap, slot: number, hasRows: boolean): ShardMap {
  const its = directoryOf(map)!;
  const [entry] = its.entries.filter(each => each.slot === slot) as [DirectoryEntry];
  // The ids of rows have the number: another key must not get it
  const list = hasRows ? 'spent' : 'free';
  const layout = {
    ...its,
    [list]: [...(its[list] ?? []), entry],
    entries: its.entries.filter(each => each !== entry),
    forgotAt: map.revision + 1,
  };
  const next = { ...map, layout, epoch: map.epoch + 1 };
  return { ...next, ranges: rangesOf(withRetired(ownersOf(map), next)) };
}

function directoryOf({ layout }: ShardMap): Directory | undefined {
  return layout?.kind === 'directory' ? layout : undefined;
}

/** @throws Impossible */
function slotOfEntry(map: ShardMap, key: ShardKey): number | undefined {
  const its = directoryOf(map);
  if (its === undefined)
    throw new Impossible('keys are not in a directory: `join` gives up the slot of a key');
  if (its.rest !== undefined)
    throw new Impossible('keys without an entry have a slot: `join` gives this one to them');
  const name = JSON.stringify(new KeyOrder(map.key).toTexts(key));
  return its.entries.find(entry => JSON.stringify(entry.key) === name)?.slot;
}

/** @throws MoveRefusedError */
function refuseBusy({ moves }: ShardMap, slot: number): void {
  const busy: Obstacle[] = moves
    .filter(({ slices }) => isIn(slices, slot))
    .map(({ id, step, from }) => ({
      kind: 'moving',
      shard: from,
      words: `the move ${id} of its slot is at the step ${step}: finish it, or undo it`,
    }));
  if (busy.length > 0) throw new MoveRefusedError('the key cannot be forgotten', busy);
}

function specAt(
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

/** No move: nobody supersedes it. */
function contextOf(signal: AbortSignal): MoveContext {
  return { token: 0n, signal, progress() {} };
}
