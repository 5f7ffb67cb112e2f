import type { Commands } from '@ashlar/store/redis-connection';
import type { AckOptions, NackOptions } from '../../../driver.ts';
import { DeliveryLostError } from '../../../errors.ts';
import { type GroupQueue, isLost, refusalOf } from '../group-queue.ts';
import type { BullJob } from '../library.ts';
import { Extensions } from './extensions.ts';
import type { Held, Settling } from './held.ts';

/** The consumer whose deliveries are settled. */
export interface Owner {
  /** Whether the command that settles may hand out the next job: then `endClaim` follows. What it returns goes to `settled`. */
  beginClaim(): number | undefined;
  /** @param isAnswered when not, a job may have been handed out that never arrives */
  endClaim(isAnswered: boolean): void;
  /** It was settled, and `next` handed out for its place. */
  settled(held: Held, next: BullJob | undefined, claim: number | undefined): void;
  /** It is in other hands, or soon. */
  drop(held: Held): void;
}

/** How often a job has been started and has failed, and whether it is finished. */
interface Counts {
  readonly isOver: boolean;
  readonly started: number;
  readonly made: number;
}

/** Whether a job is as a settlement leaves it. */
type IsDone = (now: Counts, job: BullJob) => boolean;

const isFinished: IsDone = ({ isOver, started }, job) => isOver && started === job.attemptsStarted;
const isFailed: IsDone = ({ made, started }, job) =>
  started === job.attemptsStarted && made === job.attemptsMade + 1;
const isGivenBack: IsDone = ({ started }, job) => started === job.attemptsStarted - 1;

/** Settles the deliveries of one consumer with BullMQ's own commands, which hand out the next job where they can. */
export class Settler implements Settling {
  readonly #commands: Commands;
  readonly #groupQueue: GroupQueue;
  readonly #owner: Owner;
  readonly #extensions: Extensions;

  constructor(commands: Commands, groupQueue: GroupQueue, owner: Owner) {
    this.#commands = commands;
    this.#groupQueue = groupQueue;
    this.#owner = owner;
    this.#extensions = new Extensions(groupQueue.scripts);
  }

  ack(held: Held, { result }: AckOptions): Promise<void> {
    const value = result === undefined ? undefined : kept(result);
    return this.#settle(held, isFinished, fetchNext =>
      this.#groupQueue.complete(held.job, value, held.token, fetchNext),
    );
  }

  nack(held: Held, { requeueAfterMs = 0, dead, charge = true }: NackOptions): Promise<void> {
    const { job, token } = held;
    if (dead === undefined) return this.#defer(held, requeueAfterMs, charge);
    return this.#settle(held, isFinished, fetchNext =>
      this.#groupQueue.fail(job, dead, token, { charge, fetchNext }),
    );
  }

  async extend(held: Held, ms: number): Promise<void> {
    const sentAt = performance.now();
    const isHeld = await this.#extensions.extend(held, ms);
    if (!isHeld) {
      this.#owner.drop(held);
      throw new DeliveryLostError(held.id);
    }
    held.endsAt = sentAt + ms;
  }

  /** BullMQ keeps what anybody says of a job, also who has lost it. */
  async progress(held: Held, value: Uint8Array): Promise<void> {
    if (performance.now() >= held.endsAt) throw new DeliveryLostError(held.id);
    try {
      await held.job.updateProgress(kept(value));
    } catch (error) {
      throw isLost(error) ? new DeliveryLostError(held.id) : error;
    }
  }

  async #defer(held: Held, afterMs: number, charge: boolean): Promise<void> {
    const { job, token } = held;
    await this.#settled(held, charge ? isFailed : isGivenBack, () =>
      charge ? this.#groupQueue.retry(job, token, afterMs) : this.#groupQueue.giveBack(job, token, afterMs),
    );
    this.#owner.settled(held, undefined, undefined);
  }

  async #settle(
    held: Held,
    isDone: IsDone,
    how: (fetchNext: boolean) => Promise<BullJob | undefined>,
  ): Promise<void> {
    const claim = this.#owner.beginClaim();
    const fetches = claim !== undefined;
    let next: BullJob | undefined;
    let isAnswered = false;
    try {
      next = await this.#settled(held, isDone, () => how(fetches));
      isAnswered = true;
    } catch (error) {
      isAnswered = error instanceof DeliveryLostError;
      throw error;
    } finally {
      if (fetches) this.#owner.endClaim(isAnswered);
    }
    this.#owner.settled(held, next, claim);
  }

  /** @throws DeliveryLostError when it was in other hands, and was not settled by an earlier call without an answer */
  async #settled<T>(held: Held, isDone: IsDone, how: () => Promise<T>): Promise<T | undefined> {
    try {
      return await how();
    } catch (error) {
      if (!isLost(error)) {
        const refusal = refusalOf(error);
        held.mayBeSettled ||= refusal === undefined;
        throw refusal ?? error;
      }
      if (held.mayBeSettled && (await this.#wasSettled(held.job, isDone))) return undefined;
      this.#owner.drop(held);
      throw new DeliveryLostError(held.id);
    }
  }

  /** Whether the job is as this delivery has left it, and nobody was given it since. */
  async #wasSettled(job: BullJob, isDone: IsDone): Promise<boolean> {
    const fields = [this.#groupQueue.key(job.id!), 'finishedOn', 'ats', 'atm'];
    const reply = await this.#commands.reading('HMGET', fields, false);
    const [finishedOn, started, made] = reply as (string | null)[];
    // One that keeps nothing of what is finished has deleted it
    if (typeof started !== 'string') return isDone === isFinished;
    return isDone({ isOver: finishedOn !== null, started: Number(started), made: Number(made ?? 0) }, job);
  }
}

/** As BullMQ keeps it: the value of JSON, or base64 of what is none. */
function kept(bytes: Uint8Array): unknown {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    return JSON.parse(buffer.toString()) as unknown;
  } catch {
    return buffer.toString('base64');
  }
}
