import { Backoff, onAbort } from '@ashlar/core';
import { channels } from '../../diagnostics.ts';
import type { Moving } from '../../map/moving.ts';
import type { ShardMap } from '../../map/shard-map.ts';
import type { MoverSettings } from '../mover-options.ts';
import { settleAdmissions } from '../parts/admissions.ts';
import { directoryOf } from '../parts/entries.ts';
import { extendFences } from './extending.ts';
import { holding } from './holding.ts';
import { type MoveRun, specOf } from './move-run.ts';

/** How often moves are looked at that nothing happens to, in milliseconds. */
const lookMs = 5_000;

/** How often tables are looked for that were made since a shard has lost slots, in milliseconds. */
const extendMs = 60_000;

/** What is done with a move. */
export interface MoveHands {
  run(id: string, options: { readonly signal: AbortSignal }): MoveRun;
  finish(id: string, options: { readonly signal: AbortSignal }): Promise<void>;
  /** Whether this process runs it already. */
  isRunning(id: string): boolean;
}

/** Brings every move of the map further that nobody works on. */
export class MoveWatch {
  /** Resolves when the signal has aborted and all work has ended. */
  readonly done: Promise<void>;
  readonly #settings: MoverSettings;
  readonly #hands: MoveHands;
  readonly #signal: AbortSignal;
  /** What is being done, by the id of the move, or by its name. */
  readonly #works = new Map<string, Promise<void>>();
  /** When a move may be looked at again at a step, by both, and what spreads that while it fails. */
  readonly #rests = new Map<string, { until: number; readonly pauses: Backoff }>();
  /** The same of what is no move, by its name. */
  readonly #restsBeside = new Map<string, number>();
  /** When a commit has been there for long enough, by its move and time. */
  readonly #due = new Map<string, number>();
  #wake: () => void = () => {};

  constructor(settings: MoverSettings, hands: MoveHands, signal: AbortSignal) {
    this.#settings = settings;
    this.#hands = hands;
    this.#signal = signal;
    this.done = this.#run();
  }

  async #run(): Promise<void> {
    const following = this.#followMap();
    while (!this.#signal.aborted) {
      const round = new AbortController();
      const unlink = onAbort(this.#signal, () => round.abort());
      this.#wake = () => round.abort();
      try {
        this.#look(await this.#settings.maps.read());
      } catch {
        // The store does not answer, or has no map that can be read: routers tell of that
      }
      await this.#settings.clock.sleep(lookMs, round.signal).catch(() => {});
      unlink();
    }
    await Promise.all([following, ...this.#works.values()]);
  }

  async #followMap(): Promise<void> {
    try {
      for await (const _ of this.#settings.maps.changes(this.#signal)) this.#wake();
    } catch {
      // The store is closed: what is left is a look now and then
    }
  }

  #look(map: ShardMap | undefined): void {
    const now = this.#settings.clock.now();
    const moves = map?.moves ?? [];
    const kept = new Set(moves.flatMap(move => [nameOf(move), dueNameOf(move)]));
    for (const names of [this.#rests, this.#due])
      for (const name of names.keys()) if (!kept.has(name)) names.delete(name);
    if (map !== undefined) this.#tidy(map);
    for (const move of moves) {
      const { id } = move;
      const rest = this.#rests.get(nameOf(move));
      if (this.#works.has(id) || this.#hands.isRunning(id) || (rest !== undefined && now < rest.until))
        continue;
      this.#works.set(id, this.#work(map!, move));
    }
  }

  #tidy(map: ShardMap): void {
    this.#beside('fences', extendMs, signal => extendFences(this.#settings, map, signal));
    if (directoryOf(map)?.admissions !== undefined)
      this.#beside('admissions', lookMs, signal => settleAdmissions(this.#settings, signal));
  }

  /** What is no work on a move. Failed, it is tried again at a later look. */
  #beside(name: string, restMs: number, work: (signal: AbortSignal) => Promise<unknown>): void {
    const { clock } = this.#settings;
    if (this.#works.has(name) || clock.now() < (this.#restsBeside.get(name) ?? 0)) return;
    const done = work(this.#signal).then(
      () => {},
      () => {},
    );
    this.#works.set(
      name,
      done.finally(() => {
        this.#restsBeside.set(name, clock.now() + restMs);
        this.#works.delete(name);
      }),
    );
  }

  async #work(map: ShardMap, move: Moving): Promise<void> {
    const { clock, random } = this.#settings;
    const name = nameOf(move);
    const pauses = this.#rests.get(name)?.pauses ?? new Backoff({ firstMs: lookMs, maxMs: 60_000 }, random);
    let restMs = lookMs;
    try {
      if (move.step === 'committed') await this.#tend(map, move);
      else await this.#hands.run(move.id, { signal: this.#signal }).done;
      pauses.reset();
    } catch (error) {
      restMs = pauses.nextMs();
      if (!this.#signal.aborted)
        this.#tell(move, `it has failed, and is tried again: ${(error as Error).message}`);
    }
    this.#rests.set(name, { until: clock.now() + restMs, pauses });
    this.#works.delete(move.id);
    this.#wake();
  }

  /** Of a committed move: finishes it when its time has come; until then the old source follows, within the limit. */
  async #tend(map: ShardMap, move: Moving): Promise<void> {
    const { backend, clock, retainedBytes } = this.#settings;
    const signal = this.#signal;
    const dueAt = this.#dueAt(move);
    if (clock.now() >= dueAt) return this.#hands.finish(move.id, { signal });
    const found = await backend.following?.(specOf(this.#settings, { map, move }), signal);
    if (found === undefined || found.state === 'ended') return;
    if (found.retainedBytes > retainedBytes) {
      const words = `${move.to} keeps ${found.retainedBytes} bytes of log for it, more than ${retainedBytes}: it cannot be rolled back any more`;
      await this.#unfollow(move);
      return this.#tell(move, words, found.retainedBytes);
    }
    if (found.state === 'waiting') await this.#hands.run(move.id, { signal }).done;
  }

  async #unfollow({ id }: Moving): Promise<void> {
    await holding(this.#settings, id, this.#signal, async ({ held, taken, stop }) => {
      if (taken?.move.step !== 'committed') return;
      const context = { token: held.token, signal: stop.signal, progress() {} };
      await this.#settings.backend.unfollow?.(specOf(this.#settings, taken), context);
    });
  }

  /** Counted from when it is first seen here: a clock that is put right meanwhile changes nothing. */
  #dueAt(move: Moving): number {
    const { clock, finishAfterMs } = this.#settings;
    const name = dueNameOf(move);
    let due = this.#due.get(name);
    if (due === undefined) {
      const passed = Math.max(0, Date.now() - (move.committedAtMs ?? Date.now()));
      due = clock.now() + Math.max(0, finishAfterMs - passed);
      this.#due.set(name, due);
    }
    return due;
  }

  #tell({ id, step }: Moving, words: string, retainedBytes?: number): void {
    if (!channels.move.hasSubscribers) return;
    const more = retainedBytes === undefined ? {} : { retainedBytes };
    channels.move.publish({ router: this.#settings.name, move: id, step, words, ...more });
  }
}

function nameOf({ id, step }: Moving): string {
  return `${id} ${step}`;
}

function dueNameOf({ id, committedAtMs }: Moving): string {
  return `${id} at ${committedAtMs}`;
}
