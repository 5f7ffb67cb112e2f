import { Backoff, backgroundClock, onAbort } from '@ashlar/core';
import { OneByOne, type Source } from '../../consuming/one-by-one.ts';
import type { ConsumeOptions, Delivery } from '../../driver.ts';
import { GroupGoneError } from '../../errors.ts';
import type { Bell } from '../../transactions/bell.ts';
import { tend } from './claiming/claim-sql.ts';
import { type Claim, type ClaimParts, Claims } from './claiming/claims.ts';
import { DueFloors, type Looked } from './claiming/due-floors.ts';
import { Held, type Holder } from './claiming/held.ts';
import { isPassing, type Row } from './sessions.ts';
import type { Settler } from './settling/settler.ts';
import { sweep } from './sweep.ts';

export interface ConsumerParts extends ClaimParts {
  readonly settler: Settler;
  readonly bell: Bell;
  readonly closing: AbortSignal;
  readonly pollMs: number;
  readonly maxDead: number;
  readonly maxResults: number;
  readonly deduplicationMs: number;
  /** The number of the group. @throws GroupGoneError */
  number(): Promise<number>;
  /** To be called after each claim. */
  claimed(): void;
}

/** The least time between two looks at what is due. */
const tendMs = 500;
/** Between two looks at due rows before either is known to be due. */
const restMs = 20;
/** How often a consumer that has nothing looks for leases that have ended; more often than a lease lasts. */
const leaseLookMs = 1_000;
const sweepMs = 5_000;
/** While all places are taken, nothing else asks the server whether it is there, and has the group. */
const askMs = 5_000;

/** Deliveries of one group, as many at once as there are places. */
export function consume(parts: ConsumerParts, options: ConsumeOptions): AsyncIterable<Delivery> {
  return new OneByOne(async () => {
    const signal = AbortSignal.any([options.signal, parts.closing]);
    return signal.aborted ? undefined : new Consumer(parts, options, signal, await parts.number());
  });
}

class Consumer implements Source<Delivery>, Holder {
  readonly topic: string;
  readonly settler: Settler;
  readonly #parts: ConsumerParts;
  readonly #options: ConsumeOptions;
  readonly #signal: AbortSignal;
  readonly #number: number;
  readonly #claims: Claims;
  readonly #tendSql: string;
  readonly #held = new Set<Held>();
  readonly #unlisten: () => void;
  /** What the last claim has taken, and how many of that are handed to the caller. */
  #claimed: readonly Held[] = [];
  #given = 0;
  readonly #backoff = new Backoff({ firstMs: 50, maxMs: 2_000 });
  #wake: (() => void) | undefined;
  #isWoken = false;
  /** Something was published or settled since the last look at due rows, and may be due before what that has found. */
  #mayBeDue = false;
  /** The same since the last look that marked. */
  #hasWorked = true;
  readonly #dueFloors = new DueFloors();
  #dueAt = 0;
  #tendedAt = -Infinity;
  #sweptAt = performance.now();
  #sweeping: Promise<void> | undefined;

  constructor(parts: ConsumerParts, options: ConsumeOptions, signal: AbortSignal, number: number) {
    this.topic = parts.topic;
    this.settler = parts.settler;
    this.#parts = parts;
    this.#options = options;
    this.#signal = signal;
    this.#number = number;
    this.#claims = new Claims(parts, options, number);
    this.#tendSql = tend(parts.tables);
    this.#unlisten = parts.bell.listen(parts.topic, () => {
      this.#mayBeDue = true;
      this.#awake();
    });
  }

  take(): Delivery | undefined {
    if (this.#signal.aborted || this.#given === this.#claimed.length) return undefined;
    return this.#claimed[this.#given++];
  }

  async more(): Promise<boolean> {
    const { prefetch, alive } = this.#options;
    while (!this.#signal.aborted) {
      this.#isWoken = false;
      this.#dropLost(performance.now());
      const places = prefetch - this.#held.size;
      if (places <= 0) {
        await this.#untilFree();
        continue;
      }
      const askedAt = performance.now();
      const claim = await this.#look(places);
      if (claim === undefined) continue;
      alive?.();
      this.#hold(claim, askedAt);
      if (this.#claimed.length > 0) return true;
      await this.#idle();
    }
    const { closing } = this.#parts;
    if (closing.aborted && !this.#options.signal.aborted) throw closing.reason;
    return false;
  }

  drop(held: Held): void {
    this.#held.delete(held);
    this.#mayBeDue = true;
    this.#awake();
  }

  /** What was not handed to the caller goes back uncharged; what was, stays until its lease ends. */
  async leave(): Promise<void> {
    this.#unlisten();
    const { bell, topic } = this.#parts;
    await this.#claims.giveBackLost().catch(() => {}); // Else their leases end
    const left = this.#claimed.slice(this.#given);
    if (left.length === 0) return;
    await Promise.allSettled(left.map(held => this.settler.nack(held, { charge: false })));
    bell.ring(topic);
  }

  /** Until a place may be free, for some time at most. */
  async #untilFree(): Promise<void> {
    const { prefetch, alive } = this.#options;
    await this.#pause(Math.min(this.#parts.leaseMs / 4, askMs));
    const isFull = this.#held.size >= prefetch;
    if (!isFull || this.#signal.aborted || performance.now() < this.#tendedAt + askMs) return;
    await this.#tend().then(alive, passOver);
  }

  /** There was nothing: until there may be something. What only has to be made ready is waited for without a claim. */
  async #idle(): Promise<void> {
    const { rate, keyRate } = this.#options.limits ?? {};
    const intervals = [rate, keyRate].flatMap(each =>
      each ? [Math.max(10, each.perMs / each.count / 2)] : [],
    );
    const endsAt = performance.now() + Math.min(this.#parts.pollMs, this.#claims.restMs, ...intervals);
    for (let now = performance.now(); now < endsAt; now = performance.now()) {
      if (this.#isWoken || this.#signal.aborted) return;
      if (now >= this.#tendedAt + restMs) {
        await this.#tend().catch(passOver);
        if (this.#dueAt <= performance.now()) return;
      }
      const lookAt = Math.max(this.#tendedAt + restMs, this.#mayBeDue ? now : this.#dueAt);
      await this.#pause(Math.min(endsAt, lookAt) - now);
    }
  }

  /** Until something happens, or the time is over. */
  async #pause(ms: number): Promise<void> {
    if (this.#isWoken || this.#signal.aborted) return;
    const wake = new AbortController();
    // With a reason of our own: making the usual one, with its stack, costs more than a message
    this.#wake = () => wake.abort('woken');
    const unlink = onAbort(this.#signal, () => wake.abort('over'));
    await backgroundClock.sleep(Math.max(1, Math.ceil(ms)), wake.signal).catch(() => {});
    unlink();
    this.#wake = undefined;
  }

  #awake(): void {
    this.#isWoken = true;
    this.#wake?.();
    this.#wake = undefined;
  }

  /** What is claimed; undefined after a pause, when the server was not there. */
  async #look(places: number): Promise<Claim | undefined> {
    try {
      if (performance.now() >= Math.min(this.#dueAt, this.#tendedAt + tendMs)) await this.#tend();
      const claim = await this.#claims.claim(places);
      this.#parts.claimed();
      // The rest of the keys first, before it waits
      if (claim.taken.length === 0 && this.#claims.hasMore) this.#isWoken = true;
      this.#backoff.reset();
      return claim;
    } catch (error) {
      if (!isPassing(error)) throw error;
      await backgroundClock.sleep(this.#backoff.nextMs(), this.#signal).catch(() => {});
      return undefined;
    }
  }

  async #tend(): Promise<void> {
    const { sessions, topic, group, leaseMs } = this.#parts;
    const now = performance.now();
    // Where nothing happens, floors may stay
    this.#hasWorked ||= this.#mayBeDue;
    this.#mayBeDue = false;
    const [mayMark, asks] = this.#dueFloors.looks;
    const marks = mayMark && this.#hasWorked;
    if (marks) this.#hasWorked = false;
    const values = [this.#number, ...this.#dueFloors.next(now), topic, group, marks, asks];
    const [row] = await sessions.run('a look', 'Unknown', this.#tendSql, values);
    if (row === undefined) throw new GroupGoneError(topic, group);
    this.#tendedAt = now;
    this.#dueFloors.learn(row as Row & Looked);
    const nextMs = Math.min(row['nextms'] ?? Infinity, leaseLookMs, leaseMs / 2);
    this.#dueAt = performance.now() + (row['ready'] > 0 ? 0 : nextMs);
    if (now >= this.#sweptAt + sweepMs) {
      this.#sweptAt = now;
      this.#sweeping ??= sweep(sessions, this.#parts.tables, this.#number, this.#parts)
        .catch(() => {}) // The next one does it
        .finally(() => {
          this.#sweeping = undefined;
        });
    }
  }

  #hold({ token, taken, bodies }: Claim, askedAt: number): void {
    const { leaseMs } = this.#parts;
    const lease = { endsAt: performance.now() + leaseMs, isOursUntil: askedAt + leaseMs };
    let at = 0;
    this.#given = 0;
    this.#claimed = taken.map(each => {
      const bytes = each[6];
      const body = bodies.subarray(at, at + bytes);
      at += bytes;
      const held = new Held(each, body, token, lease, this);
      this.#held.add(held);
      return held;
    });
  }

  /** Those that nobody has settled or extended in time are in other hands, or soon. */
  #dropLost(now: number): void {
    for (const held of this.#held) {
      if (held.endsAt <= now) this.#held.delete(held);
    }
  }
}

/** The next look waits for the server. */
function passOver(error: unknown): void {
  if (!isPassing(error)) throw error;
}
