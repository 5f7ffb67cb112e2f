import { Backoff, onAbort } from '@ashlar/core';
import {
  CutoverError,
  LostCopyError,
  MoveAbortedError,
  MoveBlockedError,
  StaleMoveError,
} from '../../errors/moves.ts';
import { ShardFailedError } from '../../errors/statements.ts';
import { spaceOf } from '../../keys/slot-space.ts';
import type { Moving } from '../../map/moving.ts';
import type { MoveEvent } from '../events.ts';
import type { MoveContext, MoveSpec, Verification } from '../move-backend.ts';
import { movedTables, tablesFault } from '../moved-tables.ts';
import type { MoverSettings } from '../mover-options.ts';
import { cutOver } from './cutover.ts';
import { follow } from './follow.ts';
import { AbortAsked, type Held, type HeldMove, Undo } from './held-move.ts';
import { type Holding, holding } from './holding.ts';
import { Progress } from './progress.ts';
import { confirmed } from './routers.ts';

/** How often the lag is asked for, in milliseconds. */
const lagPauseMs = 50;

/**
 * One process's work on a move, until it is committed, or over. Iterate it for what happens; `done` settles as the work does.
 * What is iterated is not kept for later: a slow reader gets each step, and of what happens in a step the latest.
 */
export class MoveRun implements AsyncIterable<MoveEvent> {
  /**
   * The move as it is in the map then; undefined when it is over, and cleared away.
   *
   * @throws MoveAbortedError when it was undone; CutoverError when the slots could not change hands; what a step has thrown: nothing
   * is locked then, and the move goes on from there when it is run again
   */
  readonly done: Promise<Moving | undefined>;
  readonly #settings: MoverSettings;
  readonly #id: string;
  readonly #signal: AbortSignal;
  readonly #progress: Progress;
  /** Ends the step that is under way. */
  #asked: AbortController | undefined;
  #isFollowing = false;

  constructor(settings: MoverSettings, id: string, signal: AbortSignal) {
    this.#settings = settings;
    this.#id = id;
    this.#signal = signal;
    this.#progress = new Progress(settings.name, id, settings.clock);
    this.done = this.#run().finally(() => this.#progress.end());
    this.done.catch(() => {}); // It reaches whoever awaits it
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<MoveEvent, void, undefined> {
    yield* this.#progress.events();
  }

  #run(): Promise<Moving | undefined> {
    return holding(this.#settings, this.#id, this.#signal, async hand => {
      const watching = this.#watch(hand);
      try {
        return await this.#steps(hand);
      } finally {
        hand.stop.abort(new StaleMoveError(this.#id));
        await watching;
      }
    });
  }

  /** Stops a step as soon as somebody wants another of the move, or has taken it over. */
  async #watch({ held: move, stop }: Holding): Promise<void> {
    const { maps } = this.#settings;
    try {
      for await (const _ of maps.changes(stop.signal)) {
        const held = await move.read();
        const step = held?.move.step;
        if (step === 'aborting' || (this.#isFollowing && step !== 'committed'))
          this.#asked?.abort(new AbortAsked());
      }
    } catch (error) {
      if (error instanceof StaleMoveError) stop.abort(error);
    }
  }

  async #steps({ held, taken, stop, leased }: Holding): Promise<Moving | undefined> {
    let now = taken;
    for (;;) {
      if (now === undefined) return undefined;
      const { move } = now;
      const fault = tablesFault(spaceOf(now.map), move, this.#settings.tables);
      if (fault !== undefined) throw new MoveBlockedError(this.#id, fault);
      this.#progress.step(move.step, move.why === undefined ? {} : { words: move.why });
      if (move.step === 'committed') {
        await this.#follow(held, now, stop.signal);
        return move;
      }
      if (move.step === 'finishing') return void (await this.#finish(held, now, stop.signal));
      if (move.step === 'aborting') return await this.#undo(held, move, stop.signal);
      const asked = new AbortController();
      const unlink = onAbort(stop.signal, reason => asked.abort(reason));
      this.#asked = asked;
      try {
        now = await this.#step(held, now, asked.signal, leased);
      } catch (error) {
        now = await this.#after(error, held, move, stop.signal);
      } finally {
        unlink();
        this.#asked = undefined;
      }
    }
  }

  /** What comes after a step that failed: rethrows, but for what the move itself has an answer to. */
  async #after(error: unknown, held: HeldMove, move: Moving, signal: AbortSignal): Promise<Held> {
    signal.throwIfAborted();
    if (error instanceof Undo || (error instanceof LostCopyError && move.back)) {
      const at = (await held.read())?.move.step;
      if (at !== undefined && at !== 'aborting')
        return held.go(signal, at, 'aborting', { why: error.message });
    }
    if (error instanceof LostCopyError) {
      const at = (await held.read())?.move.step;
      if (at !== undefined && at !== 'aborting') {
        this.#progress.tell({ words: error.message });
        return held.go(signal, at, 'copy');
      }
    }
    const now = await held.read();
    if (now?.move.step === 'aborting') return now;
    throw error;
  }

  async #step(held: HeldMove, now: Held, signal: AbortSignal, leased: AbortSignal): Promise<Held> {
    const { backend } = this.#settings;
    const { move } = now;
    const spec = specOf(this.#settings, now);
    const context = this.#context(held, signal);
    switch (move.step) {
      case 'prepare':
        await backend.prepare(spec, context);
        return held.go(signal, 'prepare', 'copy');
      case 'copy':
        await backend.copy(spec, context);
        return held.go(signal, 'copy', 'catchUp');
      case 'catchUp':
        await this.#catchUp(spec, context);
        return held.go(signal, 'catchUp', 'verify');
      case 'verify':
        assertEqual(await backend.verify(spec, context));
        return held.go(signal, 'verify', 'ready');
      default:
        return cutOver({
          settings: this.#settings,
          held,
          spec,
          now,
          context,
          undoing: this.#context(held, leased),
          progress: this.#progress,
          caughtUp: () => this.#catchUp(spec, context),
          assertEqual,
        });
    }
  }

  /** Until the target has not been far behind for a while. */
  async #catchUp(spec: MoveSpec, context: MoveContext): Promise<void> {
    const { backend, clock, lagMs, steadyMs, catchUpMs, retainedBytes } = this.#settings;
    const begunAt = clock.now();
    let since = begunAt;
    for (;;) {
      const lag = await backend.lag(spec, context);
      const isBehind = lag.lagMs > lagMs;
      const words = `the target is ${Math.round(lag.lagMs)} ms behind; it must be ${lagMs} ms at most, for ${steadyMs} ms`;
      this.#progress.tell(isBehind ? { ...lag, words } : lag);
      if (lag.retainedBytes > retainedBytes) {
        throw new Undo(
          `the source keeps ${lag.retainedBytes} bytes of log for it, more than ${retainedBytes}`,
        );
      }
      const now = clock.now();
      if (isBehind) since = now;
      else if (now - since >= steadyMs) return;
      if (now - begunAt >= catchUpMs)
        throw new CutoverError(this.#id, `it has not caught up within ${catchUpMs} ms: ${words}`);
      await clock.sleep(lagPauseMs, context.signal);
    }
  }

  async #undo(held: HeldMove, move: Moving, signal: AbortSignal): Promise<Moving> {
    const { backend } = this.#settings;
    const why = move.why ?? 'somebody has asked for it';
    const now = (await held.read())!;
    const spec = specOf(this.#settings, now);
    const context = { ...this.#context(held, signal), ...lostOf(now.move) };
    await this.#again(signal, () =>
      move.back ? backend.unfence(spec, context) : backend.abort(spec, context),
    ).catch(error => {
      throw blockedBy(error, now.move, 'to', '`abort` with `targetLost`');
    });
    if (move.back) await this.#follow(held, await held.restore(signal), signal);
    else await held.remove(signal, 'aborting');
    throw new MoveAbortedError(this.#id, why);
  }

  async #finish(held: HeldMove, now: Held, signal: AbortSignal): Promise<void> {
    const { backend, maps, routersMs, clock } = this.#settings;
    const tell = (words: string) => this.#progress.tell({ words });
    // Nobody reads there any more
    await confirmed(maps, this.#id, now.map.revision, routersMs, clock, signal, tell);
    const context = { ...this.#context(held, signal), ...lostOf(now.move) };
    await backend.finish(specOf(this.#settings, now), context).catch(error => {
      throw blockedBy(error, now.move, 'from', '`finish` with `sourceLost`');
    });
    await held.remove(signal, 'finishing');
  }

  async #follow(held: HeldMove, now: Held, signal: AbortSignal): Promise<void> {
    const asked = new AbortController();
    const unlink = onAbort(signal, reason => asked.abort(reason));
    this.#asked = asked;
    this.#isFollowing = true;
    try {
      const spec = specOf(this.#settings, now);
      await follow(this.#settings, spec, this.#context(held, signal), asked, this.#progress);
    } finally {
      this.#isFollowing = false;
      this.#asked = undefined;
      unlink();
      asked.abort();
    }
  }

  /** What must not be left half done is tried until it is done, or this process has the move no more. */
  async #again(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    const { clock, random } = this.#settings;
    const pauses = new Backoff({ firstMs: 50, maxMs: 2_000 }, random);
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (signal.aborted || error instanceof StaleMoveError || pauses.failures >= 10) throw error;
        this.#progress.tell({ words: `again, since it failed: ${error}` });
      }
      await clock.sleep(pauses.nextMs(), signal);
    }
  }

  #context({ token }: HeldMove, signal: AbortSignal): MoveContext {
    return { token, signal, progress: done => this.#progress.copied(done) };
  }
}

export function specOf({ name, tables }: MoverSettings, { map, move }: Held): MoveSpec {
  const { id, from, to, slices } = move;
  return { id, router: name, from, to, slices, ...spaceOf(map), tables: movedTables(map, slices, tables) };
}

function lostOf({ lost }: Moving): Pick<MoveContext, 'lost'> {
  return lost === undefined ? {} : { lost };
}

/** What keeps a move from its end, and the way out where that is a shard which does not answer. */
function blockedBy(error: unknown, move: Moving, side: 'from' | 'to', way: string): unknown {
  if (!(error instanceof ShardFailedError) || error.shard !== move[side]) return error;
  const words = `${error.message}; when it answers, the move goes on, and where it is lost for good, ${way} ends it without`;
  return new MoveBlockedError(move.id, words, { cause: error });
}

/** @throws Undo */
function assertEqual({ differences }: Verification): void {
  if (differences.length === 0) return;
  const words = differences.map(({ table, missing, extra, different }) => {
    const [first] = [...missing, ...extra, ...different];
    return `${table}: ${missing.length} missing, ${extra.length} too many, ${different.length} different, as ${first}`;
  });
  throw new Undo(`source and target differ in ${words.join('; ')}`);
}
