import { Heap } from '@ashlar/core';
import type { State, States, Stored } from '../stored.ts';
import { areMany, isThere, Ready, type Sharing } from './ready.ts';

/** A message that is held back until its time. */
export interface Later {
  readonly item: Stored;
  readonly at: number;
  /** Whether it pauses after a failure. */
  readonly isRetry: boolean;
}

/** The messages of a group that wait: those that are ready, and those that are held back until their time. */
export class Backlog {
  readonly #states: States;
  readonly #later = new Heap<Later>((a, b) => a.at - b.at || a.item.sequence - b.item.sequence);
  /** Those of them that pause after a failure. */
  readonly #pausing = new Set<Stored>();
  /** How many of those that are held back are taken away. */
  #gone = 0;
  #sharing: Sharing = {};
  #ready = new Ready();

  constructor(states: States) {
    this.#states = states;
  }

  get isOrdered(): boolean {
    return this.#sharing.ordered === true;
  }

  /** When the next of those that are held back is due. */
  get dueAt(): number {
    return this.#later.peek()?.at ?? Infinity;
  }

  get later(): Iterable<Later> {
    return this.#later;
  }

  /** When a limit lets another message start, if one waits for that; else `Infinity`. */
  startsAt(now: number): number {
    return this.#ready.nextAt(now);
  }

  add(item: Stored, now: number, atFront: boolean): void {
    this.#states.become(item, 'waiting');
    this.#ready.push(item, now, atFront);
  }

  holdBack(later: Later): void {
    this.#states.become(later.item, 'delayed');
    this.#later.push(later);
    if (later.isRetry) this.#pausing.add(later.item);
  }

  /** It was taken away: nothing waits for it, and in the end nothing stays of it. @param from the state that it had */
  lost(item: Stored, from: State, now: number): void {
    if (this.#pausing.delete(item)) this.#ready.abandoned(item.key, now);
    if (from === 'waiting') this.#ready.lost(now);
    if (from !== 'delayed' || !areMany(++this.#gone, this.#later.size)) return;
    this.#later.filter(later => isThere(later.item));
    this.#gone = 0;
  }

  /** The next message that may start, which then counts as active for its key until it is `settled`. */
  take(now: number): Stored | undefined {
    return this.#ready.take(now);
  }

  /** A message of the key is no longer in hands; `pausing` when it comes back after a pause. */
  settled(key: string | undefined, now: number, pausing: boolean): void {
    this.#ready.settled(key, now, pausing);
  }

  /** Those whose time has come are ready. */
  advance(now: number): void {
    for (let later = this.#later.peek(); later !== undefined && later.at <= now; later = this.#later.peek()) {
      this.#later.pop();
      this.#due(later, now);
    }
  }

  /** The latest consumer says how the group shares. */
  share(sharing: Sharing, now: number, active: Iterable<Stored>): void {
    if (JSON.stringify(sharing) === JSON.stringify(this.#sharing)) return;
    this.#sharing = sharing;
    this.#ready = this.#ready.under(sharing, now, active, this.#pausing);
  }

  /** Counts those that were in hands, or paused, when they were kept. */
  restored(active: Iterable<Stored>): void {
    this.#ready.count(active, this.#pausing);
  }

  #due({ item, isRetry }: Later, now: number): void {
    if (item.state === 'gone') {
      this.#gone--;
      return;
    }
    this.#pausing.delete(item);
    this.#states.become(item, 'waiting');
    if (isRetry) this.#ready.returned(item, now);
    else this.#ready.push(item, now);
  }
}
