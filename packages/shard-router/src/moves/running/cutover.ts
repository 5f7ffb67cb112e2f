import { Backoff, onAbort } from '@ashlar/core';
import { CutoverError, FenceBusyError, LostCopyError, StaleMoveError } from '../../errors/moves.ts';
import type { Moving } from '../../map/moving.ts';
import { positionsOf } from '../../running/seen.ts';
import type { MoveContext, MoveSpec, Verification } from '../move-backend.ts';
import type { MoverSettings } from '../mover-options.ts';
import { type Held, type HeldMove, Undo } from './held-move.ts';
import type { Progress } from './progress.ts';
import { confirmed } from './routers.ts';

export interface Cutover {
  readonly settings: MoverSettings;
  readonly held: HeldMove;
  readonly spec: MoveSpec;
  readonly now: Held;
  /** For what may be stopped. */
  readonly context: MoveContext;
  /** For opening the fence again: ends only with the lease. */
  readonly undoing: MoveContext;
  readonly progress: Progress;
  caughtUp(): Promise<void>;
  assertEqual(found: Verification): void;
}

/** Attempts of the fence in a row, before routers are let go by their copies again. */
const fencesInARow = 5;

interface Pause {
  readonly begunAt: number;
  /** What a replica of the target must have. */
  readonly seen: Pick<Moving, 'seen'>;
}

/** The pause has lasted as long as it may. */
class TooLong extends Error {}

/**
 * From `ready` to `committed`: the slots change hands. Each attempt first waits for the routers, which is no pause; then closes the
 * fence, and from then on has `pauseMs` until `turn`. If that is not enough, the fence is opened, and the next attempt begins
 * later.
 */
export async function cutOver(cutover: Cutover): Promise<Held> {
  const { settings, held, context, progress, spec } = cutover;
  const { clock, random, attempts } = settings;
  const { signal } = context;
  const pauses = new Backoff({ firstMs: 500, maxMs: 30_000 }, random);
  let { now } = cutover;
  let why: unknown;
  for (let attempt = 0; attempt < attempts; attempt++) {
    if (now.move.step === 'ready') {
      if (attempt > 0) await clock.sleep(pauses.nextMs(), signal);
      now = await held.go(signal, 'ready', 'cutover');
      progress.step('cutover');
    }
    if (now.move.step === 'turn') return turned(cutover, clock.now());
    let pause: Pause;
    try {
      if (now.move.step === 'cutover') {
        await routersKnow(cutover, now);
        await cutover.caughtUp();
        now = await held.go(signal, 'cutover', 'fence');
        progress.step('fence');
      }
      pause = await fenced(cutover);
    } catch (error) {
      now = await letGo(cutover, now, error);
      if (!(error instanceof TooLong || error instanceof FenceBusyError)) throw error;
      why = error;
      continue;
    }
    // From here on nothing may open the fence but the map says so: this change may arrive late
    now = await held.go(cutover.undoing.signal, 'fence', 'turn', pause.seen);
    progress.step('turn');
    return turned(cutover, pause.begunAt);
  }
  throw new CutoverError(spec.id, `after ${attempts} attempts, the last one: ${(why as Error).message}`, {
    cause: why,
  });
}

async function routersKnow({ settings, spec, context, progress }: Cutover, { map }: Held): Promise<void> {
  const { maps, routersMs, clock } = settings;
  const tell = (words: string) => progress.tell({ words });
  await confirmed(maps, spec.id, map.revision, routersMs, clock, context.signal, tell);
}

/** Routers go by their copies again, until the next attempt. The fence is open. */
async function letGo({ held, undoing, progress }: Cutover, { move }: Held, error: unknown): Promise<Held> {
  const now = await held.go(undoing.signal, move.step, 'ready');
  progress.step('ready', { words: (error as Error).message });
  return now;
}

/** Closes the fence and makes source and target equal. Says when the pause began. Whatever it throws, the fence is open again. */
async function fenced(cutover: Cutover): Promise<Pause> {
  const { settings, spec, context, undoing } = cutover;
  const { backend, clock, pauseMs } = settings;
  const over = new AbortController();
  const unlink = onAbort(context.signal, reason => over.abort(reason));
  try {
    const begunAt = await closed(cutover);
    const late = new TooLong(`source and target were not equal within a pause of ${pauseMs} ms`);
    clock.sleep(Math.max(0, begunAt + pauseMs - clock.now()), over.signal).then(
      () => over.abort(late),
      () => {},
    );
    const within = { ...context, signal: over.signal };
    await backend.drain(spec, within);
    cutover.assertEqual(await backend.recheck(spec, within));
    const target = settings.shards?.[spec.to];
    const positions = target === undefined ? [] : await positionsOf(target, over.signal);
    over.signal.throwIfAborted();
    return { begunAt, seen: positions.length === 0 ? {} : { seen: positions } };
  } catch (error) {
    await reopened(cutover, undoing);
    throw over.signal.reason instanceof TooLong ? over.signal.reason : error;
  } finally {
    unlink();
    over.abort();
  }
}

/** When the attempt that has closed it began to keep writes waiting. */
async function closed({ settings, spec, context, progress }: Cutover): Promise<number> {
  const { backend, clock, random, fenceMs } = settings;
  const pauses = new Backoff({ firstMs: 50, maxMs: 500 }, random);
  for (;;) {
    let begunAt = clock.now();
    const closing = () => {
      begunAt = clock.now();
    };
    try {
      await backend.fence(spec, { ...context, closing }, fenceMs);
      return begunAt;
    } catch (error) {
      if (!(error instanceof FenceBusyError) || pauses.failures + 1 >= fencesInARow) throw error;
      progress.tell({ words: error.message });
    }
    await clock.sleep(pauses.nextMs(), context.signal);
  }
}

async function reopened({ settings, spec }: Cutover, undoing: MoveContext): Promise<void> {
  const { backend, clock, random } = settings;
  const pauses = new Backoff({ firstMs: 10, maxMs: 500 }, random);
  for (;;) {
    try {
      return await backend.unfence(spec, undoing);
    } catch (error) {
      // Another works on it now, or this process has nothing to say any more
      if (error instanceof StaleMoveError || undoing.signal.aborted) throw error;
    }
    await clock.sleep(pauses.nextMs(), undoing.signal);
  }
}

/**
 * From `turn` to the change of the map. When the target is not ready in time, or has lost its copy, the move is undone; but not a rollback, whose target may have
 * been written.
 *
 * @throws Undo
 */
async function turned(
  { settings, held, spec, now: taken, undoing, progress }: Cutover,
  begunAt: number,
): Promise<Held> {
  const { backend, clock, pauseMs, random } = settings;
  const over = new AbortController();
  const unlink = onAbort(undoing.signal, reason => over.abort(reason));
  const late = new TooLong(`the target was not ready to be written within ${pauseMs} ms`);
  clock.sleep(pauseMs, over.signal).then(
    () => over.abort(late),
    () => {},
  );
  const pauses = new Backoff({ firstMs: 10, maxMs: 200 }, random);
  try {
    if (taken.move.back) await backend.turn(spec, undoing);
    else await untilTurned(over.signal);
  } finally {
    unlink();
    over.abort();
  }
  const now = await held.commit(undoing.signal, Date.now());
  progress.tell({ pauseMs: clock.now() - begunAt });
  return now;

  async function untilTurned(signal: AbortSignal): Promise<void> {
    for (;;) {
      let failure: unknown;
      try {
        return await backend.turn(spec, { ...undoing, signal });
      } catch (error) {
        undoing.signal.throwIfAborted();
        if (error instanceof StaleMoveError) throw error;
        // It will not be ready later either, and writes wait
        if (error instanceof LostCopyError) throw new Undo(error.message, { cause: error });
        failure = error;
      }
      await clock.sleep(pauses.nextMs(), signal).catch(() => {
        undoing.signal.throwIfAborted();
        throw new Undo(late.message, { cause: failure });
      });
    }
  }
}
