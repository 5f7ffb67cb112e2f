import { Backoff } from '@ashlar/core';
import { FenceBusyError, MoveRefusedError } from '../../errors/moves.ts';
import type { ShardKey } from '../../keys/key-column.ts';
import type { DirectoryEntry } from '../../keys/layout.ts';
import { isIn } from '../../keys/slices.ts';
import { ownersOf, rangesOf, type ShardMap, withRetired } from '../../map/shard-map.ts';
import type { MoveContext, MoveSpec } from '../move-backend.ts';
import type { MoverSettings } from '../mover-options.ts';
import type { Obstacle } from '../obstacle.ts';
import { alone, contextOf, directoryOf, entrySlot, isAdmitted, reopen, specAt } from './entries.ts';
import { Impossible } from './impossible.ts';

export interface ForgetOptions {
  /** `keep`: rows of the key stay at its shard, and nobody is routed to them until the key is placed there again. Default: `refuse`. */
  readonly rows?: 'refuse' | 'keep';
}

/** How often the fence of the shard is tried, while transactions on its tables do not end. */
const attempts = 5;

/**
 * Takes the entry of a key out of the directory. The shard refuses its rows first: so no router that does not know yet, and nobody past the
 * routers, writes what nobody would find. Does nothing when there is no entry.
 *
 * @throws Impossible, MoveRefusedError, FenceBusyError, LeaseLostError, the error of the store or of the shard
 */
export function forget(
  settings: MoverSettings,
  read: () => Promise<ShardMap>,
  key: ShardKey,
  keepsRows: boolean,
  stop: AbortSignal,
): Promise<void> {
  return alone(settings, stop, async (signal, token) => {
    for (;;) {
      const map = await read();
      const slot = slotOfEntry(map, key);
      if (slot === undefined) return;
      refuseBusy(map, slot);
      const spec = specAt(settings, map, ownersOf(map)[slot]!, slot);
      let isDone = false;
      try {
        const tables = await retired(settings, spec, keepsRows, contextOf(signal, token));
        if (tables.length > 0 && !keepsRows) throw withRows(spec.from, tables);
        await settings.maps.change(now => {
          signal.throwIfAborted();
          isDone = isAsClosed(map, now) && slotOfEntry(now, key) === slot;
          if (!isDone) return undefined;
          refuseBusy(now, slot);
          return without(now, slot, tables.length > 0);
        });
        if (isDone) return;
      } catch (error) {
        // An answer may be lost, and an earlier call may have died: while the entry is there, its rows may be written
        if (!(error instanceof FenceBusyError)) await undone(settings, key, spec, token).catch(() => {});
        throw error;
      }
      // The map has changed meanwhile, and the next look may find that the key cannot be forgotten
      await undone(settings, key, spec, token);
    }
  });
}

/** Opens what was closed, also where the lease has ended: whether another has come since, the shard sees by the token. */
async function undone(settings: MoverSettings, key: ShardKey, spec: MoveSpec, token: bigint): Promise<void> {
  const { clock, leaseMs } = settings;
  const over = new AbortController();
  clock.sleep(leaseMs, over.signal).then(
    () => over.abort(new Error(`${spec.from} has not opened its fence within ${leaseMs} ms`)),
    () => {},
  );
  try {
    await reopen(settings, key, spec, contextOf(over.signal, token));
  } finally {
    over.abort();
  }
}

function withRows(shard: string, tables: readonly string[]): MoveRefusedError {
  const words = (table: string) =>
    `${shard} has rows of it in ${table}: delete or move them, or forget it with \`rows: 'keep'\``;
  const found = tables.map(table => ({ kind: 'rows', shard, table, words: words(table) }));
  return new MoveRefusedError('the key cannot be forgotten', found);
}

/** Whether nobody has opened what the shard of an entry refuses: slots that have changed hands since may be back, with rows. */
function isAsClosed(before: ShardMap, now: ShardMap): boolean {
  return before.epoch === now.epoch && isAdmitted(before, now);
}

/** Refuses the rows of an entry at its shard. Returns the tables that have some. @throws FenceBusyError */
export async function retired(
  { backend, clock, random, fenceMs }: MoverSettings,
  spec: MoveSpec,
  keepsRows: boolean,
  context: MoveContext,
): Promise<readonly string[]> {
  if (backend.retire === undefined) throw new Impossible('shards of this kind forget no keys');
  const pauses = new Backoff({ firstMs: 50, maxMs: 1_000 }, random);
  for (;;) {
    try {
      return await backend.retire(spec, context, { withinMs: fenceMs, keepsRows });
    } catch (error) {
      if (!(error instanceof FenceBusyError) || pauses.failures + 1 >= attempts) throw error;
    }
    await clock.sleep(pauses.nextMs(), context.signal);
  }
}

function without(map: ShardMap, slot: number, hasRows: boolean): ShardMap {
  const its = directoryOf(map)!;
  const [entry] = its.entries.filter(each => each.slot === slot) as [DirectoryEntry];
  // The ids of rows have the number, here or where some were left before: another key must not get it
  const list = hasRows || entry.isSpent ? 'spent' : 'free';
  const layout = {
    ...its,
    [list]: [...(its[list] ?? []), entry],
    entries: its.entries.filter(each => each !== entry),
    forgotAt: map.revision + 1,
  };
  const next = { ...map, layout, epoch: map.epoch + 1 };
  return { ...next, ranges: rangesOf(withRetired(ownersOf(map), next)) };
}

/** @throws Impossible */
function slotOfEntry(map: ShardMap, key: ShardKey): number | undefined {
  assertForgets(map);
  return entrySlot(map, key);
}

/** @throws Impossible where no key is ever forgotten */
export function assertForgets(map: ShardMap): void {
  const its = directoryOf(map);
  if (its === undefined)
    throw new Impossible('keys are not in a directory: `join` gives up the slot of a key');
  if (its.rest !== undefined)
    throw new Impossible('keys without an entry have a slot: `join` gives this one to them');
}

/** @throws MoveRefusedError */
export function refuseBusy({ moves }: ShardMap, slot: number, refused = 'the key cannot be forgotten'): void {
  const busy: Obstacle[] = moves
    .filter(({ slices }) => isIn(slices, slot))
    .map(({ id, step, from }) => ({
      kind: 'moving',
      shard: from,
      words: `the move ${id} of its slot is at the step ${step}: finish it, or undo it`,
    }));
  if (busy.length > 0) throw new MoveRefusedError(refused, busy);
}
