import { Backoff, type Clock, type Random } from '@ashlar/core';
import type { Lease } from '@ashlar/store';
import { StaleMoveError } from '../../errors/moves.ts';
import { isIn } from '../../keys/slices.ts';
import type { Maps } from '../../map/maps.ts';
import type { MoveStep, Moving } from '../../map/moving.ts';
import { ownersOf, rangesOf, type ShardMap, withRetired } from '../../map/shard-map.ts';

/** The move and the map that has it. */
export interface Held {
  readonly map: ShardMap;
  readonly move: Moving;
}

/** Somebody has asked for the move to be undone. */
export class AbortAsked extends Error {}

/** Why a move is undone of itself. */
export class Undo extends Error {}

export interface HeldMoveOptions {
  readonly maps: Maps;
  readonly id: string;
  readonly lease: Lease;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * A move in the map, in the hands of the holder of its lease. Every change of it is one compare-and-set that only the holder of
 * the newest token makes: the token is written into the map before anything else, so the change of a holder that was superseded
 * meets another version.
 */
export class HeldMove {
  readonly id: string;
  readonly token: bigint;
  readonly #options: HeldMoveOptions;

  constructor(options: HeldMoveOptions) {
    this.#options = options;
    this.id = options.id;
    this.token = options.lease.token;
  }

  /** Writes the token into the map. Undefined when there is no such move. @throws StaleMoveError */
  async take(signal: AbortSignal): Promise<Held | undefined> {
    return this.#held(
      await this.#change(signal, map => {
        const move = this.#in(map);
        if (move === undefined || move.token === String(this.token)) return undefined;
        if (BigInt(move.token) > this.token) throw new StaleMoveError(this.id);
        return this.#with(map, { ...move, token: String(this.token) });
      }),
    );
  }

  /** As it is in the map now; undefined when it is over. @throws StaleMoveError when another has taken it */
  async read(): Promise<Held | undefined> {
    const map = await this.#options.maps.read();
    const held = map && this.#held(map);
    if (held !== undefined && held.move.token !== String(this.token)) throw new StaleMoveError(this.id);
    return held;
  }

  /**
   * From one step to another.
   *
   * @throws AbortAsked when it is to be undone, StaleMoveError when another has taken it
   */
  async go(
    signal: AbortSignal,
    from: MoveStep,
    to: MoveStep,
    more: Pick<Moving, 'why' | 'seen'> = {},
  ): Promise<Held> {
    const map = await this.#change(signal, map => {
      const move = this.#own(map, from, to);
      return move && this.#with(map, { ...move, ...more, step: to });
    });
    return this.#held(map)!;
  }

  /** The slots change hands: ranges, epoch and step in one compare-and-set. @throws AbortAsked, StaleMoveError */
  async commit(signal: AbortSignal, committedAtMs: number): Promise<Held> {
    const map = await this.#change(signal, map => {
      const move = this.#own(map, 'turn', 'committed');
      if (move === undefined) return undefined;
      const owners = ownersOf(map).map((owner, slot) => (isIn(move.slices, slot) ? move.to : owner));
      const { seen, ...rest } = move;
      const committed: Moving = { ...rest, step: 'committed', committedAtMs };
      const next = {
        ...this.#with(map, committed),
        epoch: map.epoch + 1,
        ranges: rangesOf(withRetired(owners, map)),
      };
      return seen === undefined ? next : { ...next, seen: { ...map.seen, [move.to]: seen } };
    });
    return this.#held(map)!;
  }

  /** After a rollback that comes to nothing: committed, as it was before. */
  async restore(signal: AbortSignal): Promise<Held> {
    const map = await this.#change(signal, map => {
      const move = this.#own(map, 'aborting', 'committed');
      if (move === undefined) return undefined;
      const { from, to, why: _, ...rest } = move;
      return this.#with(map, { ...rest, from: to, to: from, back: !move.back, step: 'committed' });
    });
    return this.#held(map)!;
  }

  /** Takes it out of the map. */
  async remove(signal: AbortSignal, step: MoveStep): Promise<void> {
    await this.#change(signal, map => {
      if (this.#in(map) === undefined || this.#own(map, step, step, true) === undefined) return undefined;
      return { ...map, moves: map.moves.filter(({ id }) => id !== this.id) };
    });
  }

  /** The move at `from`; undefined when an earlier attempt, whose answer was lost, has brought it to `to`. */
  #own(map: ShardMap, from: MoveStep, to: MoveStep, isLast = false): Moving | undefined {
    const move = this.#in(map);
    if (move === undefined || move.token !== String(this.token)) throw new StaleMoveError(this.id);
    if (move.step === to && !isLast) return undefined;
    if (move.step === from) return move;
    if (move.step === 'aborting') throw new AbortAsked();
    throw new StaleMoveError(this.id);
  }

  #in(map: ShardMap): Moving | undefined {
    return map.moves.find(({ id }) => id === this.id);
  }

  #held(map: ShardMap): Held | undefined {
    const move = this.#in(map);
    return move && { map, move };
  }

  #with(map: ShardMap, move: Moving): ShardMap {
    return { ...map, moves: map.moves.map(each => (each.id === move.id ? move : each)) };
  }

  /**
   * Until the store has answered: what a change whose answer was lost has done must be known before the next step, and it may
   * still arrive.
   */
  async #change(signal: AbortSignal, change: Parameters<Maps['change']>[0]): Promise<ShardMap> {
    const { maps, clock, random } = this.#options;
    const pauses = new Backoff({ firstMs: 20, maxMs: 1_000 }, random);
    for (;;) {
      try {
        signal.throwIfAborted();
        return await maps.change(change);
      } catch (error) {
        if (signal.aborted || (error as { retryable?: unknown }).retryable !== true) throw error;
      }
      await clock.sleep(pauses.nextMs(), signal);
    }
  }
}
