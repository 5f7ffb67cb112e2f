import { onAbort } from '@ashlar/core';
import { MoveRefusedError, MoverClosedError } from '../errors/moves.ts';
import type { ShardKey } from '../keys/key-column.ts';
import { spaceOf } from '../keys/slot-space.ts';
import { isCommitted, type Moving } from '../map/moving.ts';
import type { ShardMap } from '../map/shard-map.ts';
import type { AbortOptions, FinishOptions, MovesStatus, RunOptions } from './calls.ts';
import type { ExtendedFences, Following, Verification } from './move-backend.ts';
import { tablesFault } from './moved-tables.ts';
import { type MoverOptions, type MoverSettings, readMoverSettings } from './mover-options.ts';
import { type ForgetOptions, forget } from './parts/forgetting.ts';
import { purge } from './parts/purging.ts';
import type { MoveRequest } from './planner.ts';
import { asRefused, type Planned, type PlannedMove, planned } from './planning.ts';
import { begin } from './running/beginning.ts';
import { extendFences } from './running/extending.ts';
import { MoveRun, specOf } from './running/move-run.ts';
import { MoveWatch } from './running/move-watch.ts';
import { refusal, verified } from './running/verified.ts';

/**
 * Moves slots between shards while they are read and written. A move is data in the map: `begin` puts it there, `run` does the
 * work, in this process or in any other, and goes on after a crash at any step. Two processes never work on one move.
 */
export class Mover implements AsyncDisposable {
  readonly name: string;
  readonly #settings: MoverSettings;
  readonly #end = new AbortController();
  readonly #runs = new Set<Promise<unknown>>();
  readonly #running = new Set<string>();

  /** @throws InvalidOptionError */
  constructor(options: MoverOptions) {
    this.#settings = readMoverSettings(options);
    this.name = this.#settings.name;
  }

  /**
   * A dry run: the moves that the request needs, with what they cost and what stands in their way. Changes nothing.
   *
   * @throws ShardMapError, InvalidOptionError for a request that cannot be, the error of the store or of a shard
   */
  async plan(request: MoveRequest): Promise<readonly PlannedMove[]> {
    return (await this.#planned(request)).plans;
  }

  /** The map as the store has it. @throws ShardMapError, MoveRefusedError when there is none, the store's error */
  async map(): Promise<ShardMap> {
    const map = await this.#settings.maps.read();
    if (map !== undefined) return map;
    const words = `there is no map ${this.name} in the store: start a router first`;
    throw new MoveRefusedError('slots cannot move', [{ kind: 'no_map', shard: '', words }]);
  }

  /**
   * Puts the moves of the request into the map. Nothing moves until they are run.
   *
   * @throws MoveRefusedError when something stands in the way of one: then none is begun. Else as `plan`
   */
  async begin(request: MoveRequest): Promise<readonly Moving[]> {
    return begin(this.#settings, await this.#planned(request), request, this.#end.signal);
  }

  /**
   * Works on a move until it is committed, or over: `done` says so. Waits while another process does. A run that rejects
   * leaves nothing locked, but where this process has lost its lease or the store does not answer: whoever runs it next goes on.
   */
  run(id: string, options: RunOptions = {}): MoveRun {
    let run!: MoveRun;
    this.#running.add(id);
    this.#tracked(options, signal => {
      run = new MoveRun(this.#settings, id, signal);
      return run.done.finally(() => this.#running.delete(id));
    }).catch(() => {}); // It reaches whoever awaits `done`
    return run;
  }

  /** Begins the moves of the request and runs them, one after another. @throws as `begin` and `run` */
  async move(request: MoveRequest, options?: RunOptions): Promise<readonly Moving[]> {
    const moved: Moving[] = [];
    for (const { id } of await this.begin(request)) {
      const move = await this.run(id, options).done;
      if (move !== undefined) moved.push(move);
    }
    return moved;
  }

  /**
   * Has a move undone that is not committed: whoever works on it does that, else this call's run. Resolves when it is done, also
   * where it was undone before.
   *
   * @throws MoveRefusedError when it is committed: `rollback` brings it back; MoveBlockedError when its target does not answer: its source can be
   *   written
   */
  async abort(id: string, { targetLost = false, ...options }: AbortOptions = {}): Promise<void> {
    await this.#change(id, move => {
      const ended = { ...move, ...(targetLost && !move.back && { lost: move.to }) };
      if (move.step === 'aborting') return ended.lost === move.lost ? undefined : ended;
      if (isCommitted(move)) return 'it is committed: roll it back';
      // The old source may be written already
      if (move.back && move.step === 'turn') return 'it is about to be committed: roll it back';
      return { ...ended, step: 'aborting', why: 'somebody has asked for it' };
    });
    await this.run(id, options).done.catch((error: unknown) => {
      if ((error as { code?: unknown }).code !== 'ASHLAR_SHARD_ROUTER_MOVE_ABORTED') throw error;
    });
  }

  /**
   * Brings a committed move back, with all that was written since: the same steps in the other direction, without the copy. Run
   * it to do so. Committed again, it can be rolled back once more, or finished.
   *
   * @throws MoveRefusedError when it is not committed, or is finished
   */
  async rollback(id: string, options?: RunOptions): Promise<Moving | undefined> {
    await this.#change(id, move => {
      if (move.step !== 'committed') return `it is at the step ${move.step}`;
      const { from, to, why: _, ...rest } = move;
      return { ...rest, from: to, to: from, back: !move.back, step: 'catchUp' };
    });
    return this.run(id, options).done;
  }

  /**
   * Ends the time in which a committed move can be rolled back: deletes its rows at the old source, whose fence stays.
   *
   * @throws MoveRefusedError when it is not committed; MoveBlockedError when the old source does not answer
   */
  async finish(id: string, { sourceLost = false, ...options }: FinishOptions = {}): Promise<void> {
    await this.#change(id, move => {
      if (!isCommitted(move)) return `it is at the step ${move.step}`;
      const lost = sourceLost ? move.from : move.lost;
      if (move.step === 'finishing' && lost === move.lost) return undefined;
      return { ...move, step: 'finishing', ...(lost !== undefined && { lost }) };
    });
    await this.run(id, options).done;
  }

  /**
   * Takes the entry of a key out of the directory: the key is refused from then on, until it is placed again. Does nothing where there is
   * none. A call that dies in the midst may leave the key without writes, until it is called again or the key is placed on its shard.
   *
   * @throws MoveRefusedError when its shard has rows of it, or its slot moves; InvalidOptionError without a directory, or where the rest of the
   *   keys has a slot; FenceBusyError when transactions on the tables do not end
   */
  async forget(key: ShardKey, { rows = 'refuse' }: ForgetOptions = {}): Promise<void> {
    try {
      await this.#tracked({}, signal =>
        forget(this.#settings, () => this.map(), key, rows === 'keep', signal),
      );
    } catch (error) {
      throw asRefused(error, 'key', 'one that can be forgotten', key);
    }
  }

  /**
   * Deletes the rows of a key that `forget` has left at a shard, where nobody is routed to them: so that the key can move to that shard again, or is
   * gone for good. Returns how many.
   *
   * @throws MoveRefusedError when the map gives the key to the shard, or that takes writes of it, or its slot moves; InvalidOptionError as `forget`
   */
  async purge(key: ShardKey, shard: string): Promise<number> {
    try {
      return await this.#tracked({}, signal => purge(this.#settings, () => this.map(), key, shard, signal));
    } catch (error) {
      throw asRefused(error, 'key', 'one that can be forgotten', key);
    }
  }

  /**
   * Closes the fences of what shards have lost for good also at those of the `tables` that were made since: for after a migration which makes some. A
   * mover that watches does so once a minute.
   *
   * @throws ShardMapError, the error of the store or of a shard: the others are done
   */
  async extendFences(): Promise<ExtendedFences> {
    return extendFences(this.#settings, await this.map(), this.#end.signal);
  }

  /** The map, its moves, and what is left of others; of a shard that does not answer, that. @throws ShardMapError, the error of the store */
  async status(): Promise<MovesStatus> {
    const map = await this.map();
    const ids = map.moves.map(({ id }) => id);
    const shards = new Set([
      ...map.ranges.map(({ shard }) => shard),
      ...map.moves.flatMap(({ from, to }) => [from, to]),
    ]);
    const leaks: Record<string, readonly string[]> = {};
    const { backend } = this.#settings;
    const { signal } = this.#end;
    for (const shard of shards) {
      leaks[shard] = await backend.leaks(shard, ids).catch((error: Error) => {
        signal.throwIfAborted();
        return [`nobody knows: it does not answer (${error.message})`];
      });
    }
    const following: Record<string, Following> = {};
    for (const move of map.moves.filter(({ step }) => step === 'committed')) {
      const spec = specOf(this.#settings, { map, move });
      const found = await backend.following?.(spec, signal).catch(() => signal.throwIfAborted());
      if (found !== undefined) following[move.id] = found;
    }
    return { map, leaks, following };
  }

  /**
   * Compares source and target of a move that is ready or committed. Waits while another process works on it, and leaves nothing at the
   * shards that was not there.
   *
   * @throws MoveRefusedError at another step
   */
  verify(id: string, options: RunOptions = {}): Promise<Verification> {
    return this.#tracked(options, signal => verified(this.#settings, id, signal));
  }

  /**
   * Works on all moves of the map until the signal aborts or the mover is closed: runs those that nobody works on, whoever has begun them,
   * has old sources follow, and finishes committed moves after `finishAfterMs`. Several processes may watch. Where the log that is kept for a
   * committed move is more than `retainedBytes`, its old source follows no more, and it cannot be rolled back. What fails is told on
   * `ashlar:shard-router:move` and tried again.
   */
  watch(options: RunOptions = {}): Promise<void> {
    return this.#tracked(options, signal => {
      const isRunning = (id: string) => this.#running.has(id);
      const mover = { run: this.run.bind(this), finish: this.finish.bind(this), isRunning };
      return new MoveWatch(this.#settings, mover, signal).done;
    });
  }

  /** Ends the runs of this process, which reject with MoverClosedError; the moves stay in the map, for whoever runs them next. */
  async close(): Promise<void> {
    this.#end.abort(new MoverClosedError(`the mover ${this.name}`));
    await Promise.allSettled(this.#runs);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Work that ends with the mover, or the caller's signal; `close` waits for it. */
  async #tracked<T>({ signal }: RunOptions, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const stop = new AbortController();
    const unlink = [this.#end.signal, signal].map(
      each => each && onAbort(each, reason => stop.abort(reason)),
    );
    const done = work(stop.signal);
    this.#runs.add(done);
    try {
      return await done;
    } finally {
      for (const each of unlink) each?.();
      this.#runs.delete(done);
    }
  }

  async #planned(request: MoveRequest): Promise<Planned> {
    return planned(this.#settings, await this.map(), request, this.#end.signal);
  }

  /** @param change the move as it is to be; undefined when it is so; a text when that cannot be */
  async #change(id: string, change: (move: Moving) => Moving | string | undefined): Promise<void> {
    let isTried = false;
    await this.#settings.maps.change(map => {
      const move = map.moves.find(each => each.id === id);
      if (move === undefined) {
        if (isTried) return undefined;
        throw refusal(id, 'there is no such move');
      }
      isTried = true;
      const changed = change(move);
      if (typeof changed === 'string') throw refusal(id, changed);
      const fault = changed && tablesFault(spaceOf(map), changed, this.#settings.tables);
      if (fault !== undefined) throw refusal(id, fault);
      return changed && { ...map, moves: map.moves.map(each => (each.id === id ? changed : each)) };
    });
  }
}
