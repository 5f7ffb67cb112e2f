import { randomUUID } from 'node:crypto';
import { backgroundClock, onAbort } from '@ashlar/core';
import type { Commands, Link } from '@ashlar/store/redis-connection';
import type { ConsumeOptions, Delivery } from '../../../driver.ts';
import { GroupGoneError, QueueClosedError } from '../../../errors.ts';
import { checkGroup } from '../check-group.ts';
import { checksPerLease, type GroupQueue, isLost } from '../group-queue.ts';
import type { BullJob } from '../library.ts';
import { straysScript } from '../scripts/jobs.ts';
import { Held } from './held.ts';
import { longestWaitMs, Marker } from './marker.ts';
import { type Owner, Settler } from './settler.ts';
import type { Source } from './source.ts';

export interface ConsumerParts {
  readonly groupQueue: GroupQueue;
  readonly commands: Commands;
  /** The key of the record of the topic. */
  readonly record: string;
  readonly leaseMs: number;
  readonly timeoutMs: number;
  /** Opens the connection that waits for jobs. */
  open(): Link;
  /** Ends that connection. */
  close(link: Link): void;
}

/** How often it asks the server at least whether it is there: while all places are taken, nothing else does. */
const askMs = 5_000;
/** Between two tries to give back what a consumer that has ended may hold. */
const returnAgainMs = 100;

/** Deliveries of one group, as many at once as there are places. */
export async function* consume(
  parts: ConsumerParts,
  source: Source,
  { prefetch, signal, alive }: ConsumeOptions,
): AsyncGenerator<Delivery, void, undefined> {
  if (signal.aborted) return;
  const consumer = new Consumer(parts, source, prefetch, signal, alive);
  try {
    yield* consumer.deliveries();
  } finally {
    await consumer.leave();
  }
}

class Consumer implements Owner {
  readonly #parts: ConsumerParts;
  readonly #source: Source;
  readonly #name: string = randomUUID();
  readonly #prefetch: number;
  readonly #signal: AbortSignal;
  readonly #alive: () => void;
  readonly #link: Link;
  readonly #settler: Settler;
  readonly #marker: Marker;
  readonly #checks: NodeJS.Timeout;
  readonly #unlink: () => void;
  /** By the ids of their jobs. */
  readonly #held = new Map<string, Held>();
  /** Those that were not yet handed to the caller. */
  readonly #ready: Held[] = [];
  #tokens = 0;
  /** Commands in flight that may bring a job. */
  #claiming = 0;
  /** Jobs may have been handed out that never arrived, as an answer was lost. */
  #mayHoldMore = false;
  #wake: (() => void) | undefined;
  #failure: Error | undefined;
  #isOver = false;

  constructor(
    parts: ConsumerParts,
    source: Source,
    prefetch: number,
    signal: AbortSignal,
    alive: (() => void) | undefined,
  ) {
    this.#parts = parts;
    this.#source = source;
    this.#prefetch = prefetch;
    this.#signal = signal;
    this.#alive = alive ?? (() => {});
    this.#link = parts.open();
    this.#marker = new Marker({
      link: this.#link,
      key: parts.groupQueue.key('marker'),
      timeoutMs: parts.timeoutMs,
      answered: this.#alive,
      over: () => this.#wake?.(),
    });
    this.#settler = new Settler(parts.commands, parts.groupQueue, this);
    this.#checks = setInterval(() => void this.#check(), Math.min(this.#checkMs, askMs));
    this.#checks.unref();
    this.#unlink = onAbort(signal, () => this.#wake?.());
  }

  async *deliveries(): AsyncGenerator<Delivery, void, undefined> {
    await this.#checkGroup();
    void this.#check();
    while (!this.#signal.aborted) {
      if (this.#failure !== undefined) throw this.#failure;
      const ready = this.#ready.shift();
      if (ready !== undefined) {
        yield ready;
        continue;
      }
      this.#dropLost(performance.now());
      if (this.#mayHoldMore && this.#claiming === 0) await this.#returnStrays();
      else if (this.#mayHoldMore || (this.#places <= 0 && !this.#source.isBehind))
        await this.#untilWoken(this.#checkMs);
      else if (this.#marker.isWaitedFor && !this.#source.isBehind) await this.#wait();
      else await this.#claim();
    }
  }

  /** What was not handed to the caller goes back uncharged; what was, stays until its lease ends. */
  async leave(): Promise<void> {
    this.#isOver = true;
    clearInterval(this.#checks);
    this.#unlink();
    this.#parts.close(this.#link);
    await Promise.all(this.#ready.splice(0).map(held => this.#return(held.job, held.token)));
    if (this.#mayHoldMore) await this.#returnStrays().catch(() => void this.#returnLater());
  }

  beginClaim(): number | undefined {
    const { fetchesNext } = this.#source;
    if (!fetchesNext || this.#signal.aborted || this.#isOver || this.#mayHoldMore) return undefined;
    this.#claiming++;
    return this.#marker.count;
  }

  endClaim(isAnswered: boolean): void {
    this.#claiming--;
    if (!isAnswered) this.#mayHoldMore = true;
  }

  settled(held: Held, next: BullJob | undefined, claim: number | undefined): void {
    this.#alive();
    this.#source.settled(held);
    this.drop(held);
    if (next !== undefined) this.#take(next, held.token);
    // What it was, or what its key held up, may be claimed
    else if (claim === undefined) this.#marker.outdate();
    else if (!this.#marker.isEmpty) this.#marker.sawNothing(claim);
  }

  /** Its place is free: it is settled, or in other hands. */
  drop(held: Held): void {
    // After its lease has ended, the same job may be here again
    if (this.#held.get(held.jobId) === held) this.#held.delete(held.jobId);
    this.#wake?.();
  }

  get #checkMs(): number {
    return this.#parts.leaseMs / checksPerLease;
  }

  get #places(): number {
    return this.#prefetch - this.#held.size;
  }

  readonly #makeToken = (): string => `${this.#name}:${this.#tokens++}`;

  async #claim(): Promise<void> {
    this.#claiming++;
    const { count } = this.#marker;
    const places = this.#places;
    try {
      const { jobs, moreInMs } = await this.#source.claim(places, this.#makeToken);
      if (jobs.length > 0) this.#marker.sawSome();
      else if (places > 0) this.#marker.sawNothing(count, moreInMs);
      for (const { job, token } of jobs) this.#take(job, token);
    } catch (error) {
      this.#mayHoldMore = true;
      throw error;
    } finally {
      this.#claiming--;
    }
    this.#alive();
  }

  #take(job: BullJob, token: string): void {
    if (this.#isOver || this.#signal.aborted) {
      void this.#return(job, token);
      return;
    }
    const held = new Held(job, token, performance.now() + this.#parts.leaseMs, this.#settler);
    this.#held.set(held.jobId, held);
    if (job.deferredFailure !== undefined) void held.nack({ dead: job.deferredFailure }).catch(() => {});
    else if (held.received.expiresAt <= Date.now()) void held.ack().catch(() => {});
    else this.#ready.push(held);
    this.#wake?.();
  }

  /** Gives back what nobody has seen. */
  async #return(job: BullJob, token: string): Promise<void> {
    this.#held.delete(job.id!);
    try {
      await this.#parts.groupQueue.giveBack(job, token, 0);
    } catch (error) {
      if (isLost(error)) return;
      this.#mayHoldMore = true;
      if (this.#isOver) void this.#returnLater();
    }
  }

  /** After its end, while their lease may hold: an outage may last. */
  async #returnLater(): Promise<void> {
    const endsAt = performance.now() + this.#parts.leaseMs;
    while (this.#mayHoldMore && performance.now() < endsAt) {
      await backgroundClock.sleep(returnAgainMs);
      try {
        await this.#returnStrays();
      } catch (error) {
        if (error instanceof QueueClosedError) return;
      }
    }
  }

  /** Those that nobody has settled or extended in time are in other hands, or soon. */
  #dropLost(now: number): void {
    for (const held of this.#held.values()) {
      if (held.endsAt <= now) this.drop(held);
    }
  }

  async #returnStrays(): Promise<void> {
    const { commands, groupQueue } = this.#parts;
    const types = ['active', 'wait', 'stalled', 'marker', 'meta', groupQueue.pausedList];
    const keys = types.map(type => groupQueue.key(type));
    const args = [groupQueue.key(''), `${this.#name}:`, ...this.#held.keys()];
    await commands.script(straysScript, [...keys, ...args]);
    this.#mayHoldMore = false;
    this.#marker.outdate();
  }

  /** Until there is something to claim, to hand over, or to look after. */
  async #wait(): Promise<void> {
    this.#marker.wait();
    await this.#untilWoken(longestWaitMs + this.#parts.timeoutMs);
  }

  // Without a controller and a sleep for each wait: they would cost more than all else
  #untilWoken(ms: number): Promise<void> {
    if (this.#ready.length > 0 || this.#signal.aborted) return Promise.resolve();
    return new Promise(resolve => {
      const wake = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
      const timer = setTimeout(wake, ms);
      timer.unref();
      this.#wake = wake;
    });
  }

  /** Finds jobs whose consumers died, and whether the group is there. */
  async #check(): Promise<void> {
    try {
      await this.#checkGroup();
      await this.#parts.groupQueue.scripts.moveStalledJobsToWait();
    } catch (error) {
      // Anything else, claims find out
      if (!(error instanceof GroupGoneError)) return;
      this.#failure = error;
      this.#wake?.();
    }
  }

  async #checkGroup(): Promise<void> {
    const { commands, groupQueue, record } = this.#parts;
    await checkGroup(commands, record, groupQueue, this.#checkMs);
    this.#alive();
  }
}
