import { Heap } from '@ashlar/core';
import type { ConsumeOptions, Limits } from '../../../driver.ts';
import type { Stored } from '../stored.ts';
import { Bucket } from './bucket.ts';
import { PriorityFifo } from './fifo.ts';

export type Sharing = Pick<ConsumeOptions, 'ordered' | 'fair' | 'limits'>;

/** The messages of one key that wait, and how many are in hands. */
interface Lane {
  readonly key: string | undefined;
  readonly waiting: PriorityFifo<Stored>;
  readonly bucket: Bucket | undefined;
  active: number;
  /** Failed messages that wait for their next attempt; with `ordered`, the lane waits for them. */
  pausing: number;
  /** Its valid place among the runnable lanes, as its rank may have changed since. */
  place: Place | undefined;
  /** Whether it waits for its bucket. */
  limited: boolean;
}

interface Place {
  readonly lane: Lane;
  readonly turn: number;
  readonly priority: number;
  readonly sequence: number;
}

/**
 * The messages of a group that are ready, and the choice of the next. Without `ordered`, `fair` and limits of a key, all
 * are in one lane; else each key has its lane, and the lanes that may start one are in a heap: in turn when `fair`, then by
 * priority, then in the order of publishing.
 */
export class Ready {
  readonly #sharing: Sharing;
  readonly #limits: Limits;
  readonly #byKey: boolean;
  readonly #bucket: Bucket | undefined;
  readonly #lanes = new Map<string | undefined, Lane>();
  readonly #runnable = new Heap<Place>(byRank);
  readonly #limited = new Heap<Lane>((a, b) => a.bucket!.availableAt - b.bucket!.availableAt);
  #size = 0;
  /** How many of those are taken away, and only to be passed over. */
  #gone = 0;
  #turn = 0;
  #sweepAt = 1_000;

  constructor(sharing: Sharing = {}) {
    const { ordered, fair, limits = {} } = sharing;
    this.#sharing = sharing;
    this.#limits = limits;
    const { rate, keyRate, keyConcurrency } = limits;
    this.#byKey = ordered === true || fair === true || keyRate !== undefined || keyConcurrency !== undefined;
    this.#bucket = rate && new Bucket(rate);
  }

  get size(): number {
    return this.#size;
  }

  /** When a limit lets another message start, if one waits for that; else `Infinity`. */
  nextAt(now: number): number {
    if (this.#size === 0) return Infinity;
    const shared = this.#bucket?.availableAt ?? -Infinity;
    if (shared > now) return shared;
    return this.#limited.peek()?.bucket?.availableAt ?? Infinity;
  }

  push(item: Stored, now: number, atFront = false): void {
    const lane = this.#laneOf(item.key);
    // Within a key, `ordered` goes before priority
    const priority = this.#sharing.ordered === true && item.key !== undefined ? 0 : item.priority;
    if (atFront) lane.waiting.unshift(item, priority);
    else lane.waiting.push(item, priority);
    this.#size++;
    this.#place(lane, now);
  }

  /** The next message that may start, which then counts as active for its key. */
  take(now: number): Stored | undefined {
    if (this.#size === 0 || (this.#bucket !== undefined && this.#bucket.availableAt > now)) return undefined;
    const lane = this.#byKey ? this.#nextLane(now) : this.#lanes.get(undefined);
    const item = lane?.waiting.shift();
    if (lane === undefined || item === undefined) return undefined;
    this.#size--;
    lane.active++;
    if (item.state === 'gone') this.#gone--;
    // What is only to be dropped takes none
    else if (item.expiresAt > now) {
      lane.bucket?.take(now);
      this.#bucket?.take(now);
    }
    this.#place(lane, now);
    return item;
  }

  /** A message of the key is no longer in hands; `pausing` when it comes back after a pause. */
  settled(key: string | undefined, now: number, pausing: boolean): void {
    const lane = this.#laneOf(key);
    lane.active--;
    if (pausing) lane.pausing++;
    else this.#place(lane, now);
  }

  /** A failed message of the key does not come back from its pause. */
  abandoned(key: string | undefined, now: number): void {
    const lane = this.#laneOf(key);
    lane.pausing--;
    this.#place(lane, now);
  }

  /** A failed message of the key comes back from its pause. */
  returned(item: Stored, now: number): void {
    this.#laneOf(item.key).pausing--;
    this.push(item, now, this.#sharing.ordered === true);
  }

  /** The same messages under other rules, and those in hands and in pauses counted on. */
  under(sharing: Sharing, now: number, active: Iterable<Stored>, pausing: Iterable<Stored>): Ready {
    const next = new Ready(sharing);
    next.count(active, pausing);
    const items = [...this.#lanes.values()].flatMap(lane => [...lane.waiting].filter(isThere));
    for (const item of items.sort((a, b) => a.sequence - b.sequence)) next.push(item, now);
    return next;
  }

  /** One that waits was taken away. It keeps its place, and its memory, until there are many of its kind. */
  lost(now: number): void {
    if (!areMany(++this.#gone, this.#size)) return;
    this.#size -= this.#gone;
    this.#gone = 0;
    for (const lane of this.#lanes.values()) {
      lane.waiting.filter(isThere);
      if (lane.waiting.size === 0) lane.place = undefined;
      this.#place(lane, now);
    }
  }

  /** Counts messages in hands and in pauses that came from elsewhere. */
  count(active: Iterable<Stored>, pausing: Iterable<Stored>): void {
    for (const { key } of active) this.#laneOf(key).active++;
    for (const { key } of pausing) this.#laneOf(key).pausing++;
  }

  #nextLane(now: number): Lane | undefined {
    for (let lane = this.#limited.peek(); lane !== undefined; lane = this.#limited.peek()) {
      if (lane.bucket!.availableAt > now) break;
      this.#limited.pop();
      lane.limited = false;
      this.#place(lane, now);
    }
    for (let place = this.#runnable.pop(); place !== undefined; place = this.#runnable.pop()) {
      if (place.lane.place !== place) continue;
      place.lane.place = undefined;
      return place.lane;
    }
    return undefined;
  }

  /** Puts the lane where it belongs: among the runnable ones, among those that wait for their bucket, or nowhere. */
  #place(lane: Lane, now: number): void {
    if (!this.#byKey || lane.limited) return;
    const head = lane.waiting.peek();
    if (head === undefined) {
      this.#sweep(now);
      return;
    }
    if (lane.key !== undefined && !this.#mayStart(lane)) {
      lane.place = undefined;
      return;
    }
    if (lane.bucket !== undefined && lane.bucket.availableAt > now) {
      lane.place = undefined;
      lane.limited = true;
      this.#limited.push(lane);
      return;
    }
    const { place } = lane;
    if (place?.sequence === head.sequence) return;
    const turn = this.#sharing.fair === true ? (place?.turn ?? this.#turn++) : 0;
    lane.place = { lane, turn, priority: head.priority, sequence: head.sequence };
    this.#runnable.push(lane.place);
  }

  #mayStart(lane: Lane): boolean {
    if (this.#sharing.ordered === true) return lane.active + lane.pausing === 0;
    return lane.active < (this.#limits.keyConcurrency ?? Infinity);
  }

  #laneOf(key: string | undefined): Lane {
    const name = this.#byKey ? key : undefined;
    let lane = this.#lanes.get(name);
    if (lane === undefined) {
      const { keyRate } = this.#limits;
      const bucket = keyRate && name !== undefined ? new Bucket(keyRate) : undefined;
      const waiting = new PriorityFifo<Stored>();
      lane = { key: name, waiting, bucket, active: 0, pausing: 0, place: undefined, limited: false };
      this.#lanes.set(name, lane);
    }
    return lane;
  }

  /** Forgets idle lanes when there are many: keys may be without number. */
  #sweep(now: number): void {
    if (this.#lanes.size < this.#sweepAt) return;
    for (const [key, lane] of this.#lanes) {
      const isIdle = lane.waiting.size + lane.active + lane.pausing === 0;
      if (isIdle && (lane.bucket?.isFull(now) ?? true)) this.#lanes.delete(key);
    }
    this.#sweepAt = 2 * this.#lanes.size + 1_000;
  }
}

export const isThere = ({ state }: Stored): boolean => state !== 'gone';

/** Whether so many of all are to be swept out: seldom enough to cost each of them little. */
export function areMany(gone: number, all: number): boolean {
  return gone > 100 && 2 * gone > all;
}

function byRank(a: Place, b: Place): number {
  return a.turn - b.turn || b.priority - a.priority || a.sequence - b.sequence;
}
