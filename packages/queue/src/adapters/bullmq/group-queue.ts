import type { Commands } from '@ashlar/store/redis-connection';
import { QueueUnavailableError } from '../../errors.ts';
import type { BullJob, BullmqLibrary, BullQueue, BullScripts, BullWorker } from './library.ts';
import { scriptsOf } from './library.ts';
import type { LinkClient } from './link-client.ts';
import { queueName } from './names.ts';
import { keepIdScript } from './scripts/jobs.ts';

export interface GroupQueueParts {
  readonly library: BullmqLibrary;
  readonly client: LinkClient;
  readonly prefix: string;
  readonly leaseMs: number;
  readonly deduplicationMs: number;
  /** The user's options of each job, which ours precede. */
  readonly defaultJobOptions: object | undefined;
}

/** How often in a lease stalled jobs are looked for. */
export const checksPerLease = 4;
/** The engine has a budget for crashes; BullMQ must not fail a job for them by itself. */
const maxStalledCount = 1_000_000_000;

/** The queue of BullMQ behind one group, with a worker that fetches and settles and runs nothing by itself. */
export class GroupQueue {
  readonly name: string;
  readonly topic: string;
  readonly group: string;
  readonly queue: BullQueue;
  readonly scripts: BullScripts;
  readonly #worker: BullWorker;
  readonly #deduplicationMs: number;

  constructor(topic: string, group: string, parts: GroupQueueParts) {
    const { library, client, prefix, leaseMs, defaultJobOptions } = parts;
    this.topic = topic;
    this.group = group;
    this.name = queueName(topic, group);
    this.#deduplicationMs = parts.deduplicationMs;
    const shared = { connection: client, prefix, skipVersionCheck: true };
    const queueOptions = { ...shared, skipMetasUpdate: true, defaultJobOptions };
    this.queue = new library.Queue(this.name, queueOptions as never) as BullQueue;
    this.#worker = new library.Worker(
      this.name,
      undefined as never,
      {
        ...shared,
        autorun: false,
        lockDuration: leaseMs,
        skipLockRenewal: true,
        stalledInterval: leaseMs / checksPerLease,
        maxStalledCount,
      } as never,
    ) as BullWorker;
    this.scripts = scriptsOf(this.#worker);
    // Calls reject with the same
    for (const each of [this.queue, this.#worker]) each.on('error', () => {});
  }

  /** Where jobs wait while the queue is paused: in BullMQ 5, resuming it replaces the list `wait` by this one. */
  get pausedList(): 'paused' | 'wait' {
    return this.queue.getBackend === undefined ? 'paused' : 'wait';
  }

  key(type: string): string {
    return this.queue.toKey(type);
  }

  /** Milliseconds until there may be something to fetch, as the last fetch has said: 0 or less when that time has come. */
  get moreInMs(): number | undefined {
    const at = Math.max(this.#worker.limitUntil, this.#worker.blockUntil);
    return at > 0 ? at - Date.now() : undefined;
  }

  fetch(token: string): Promise<BullJob | undefined> {
    return this.#worker.getNextJob(token, { block: false });
  }

  /** Returns the next job, with the same token, if it was asked for. */
  async complete(
    job: BullJob,
    value: unknown,
    token: string,
    fetchNext: boolean,
  ): Promise<BullJob | undefined> {
    return this.#next(await job.moveToCompleted(value, token, fetchNext), token);
  }

  async fail(
    job: BullJob,
    reason: string,
    token: string,
    { charge, fetchNext }: { readonly charge: boolean; readonly fetchNext: boolean },
  ): Promise<BullJob | undefined> {
    const { scripts } = this;
    // The script counts a failure more
    const fields = { failedReason: reason, ...(charge ? {} : { atm: job.attemptsMade - 1 }) };
    const { removeOnFail } = job.opts;
    const args = scripts.moveToFailedArgs(job, reason, removeOnFail, token, fetchNext, fields);
    return this.#next(await scripts.moveToFinished(job.id!, args), token);
  }

  /** Fails it for now: it comes again after a pause. */
  async retry(job: BullJob, token: string, afterMs: number): Promise<void> {
    if (afterMs <= 0) await this.scripts.retryJob(job.id!, false, token, {});
    else await this.scripts.moveToDelayed(job.id!, Date.now(), afterMs, token, {});
  }

  /** As if it had never been handed out. */
  async giveBack(job: BullJob, token: string, afterMs: number): Promise<void> {
    const ats = job.attemptsStarted - 1;
    if (afterMs > 0) {
      const options = { skipAttempt: true, fieldsToUpdate: { ats } };
      await this.scripts.moveToDelayed(job.id!, Date.now(), afterMs, token, options);
    } else {
      // The script counts a failure more
      const fieldsToUpdate = { ats, atm: job.attemptsMade - 1 };
      await this.scripts.retryJob(job.id!, true, token, { fieldsToUpdate });
    }
  }

  /** Keeps the id of a job that was taken away, for as long as that of one that was handled. */
  async keepId(commands: Commands, jobId: string): Promise<void> {
    await commands.script(keepIdScript, [this.key(jobId), Math.ceil(this.#deduplicationMs)]);
  }

  async #next(raw: unknown, token: string): Promise<BullJob | undefined> {
    if (!Array.isArray(raw)) return undefined;
    const [data, id, limitMs, delayUntil] = raw as [unknown, unknown, number, number];
    this.#worker.updateDelays(limitMs, delayUntil);
    return this.#worker.nextJobFromJobData(data, id, token);
  }
}

/** Whether BullMQ says that a job is not, or no longer, in the hands that settle it. */
export function isLost(error: unknown): boolean {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  return typeof code === 'number' && lostCodes.has(code);
}

/** What BullMQ has refused otherwise: nothing was changed, such as while a job waits for its children. */
export function refusalOf(error: unknown): QueueUnavailableError | undefined {
  const { code, message } = (error ?? {}) as { readonly code?: unknown; readonly message?: string };
  if (typeof code !== 'number') return undefined;
  return new QueueUnavailableError(`BullMQ: ${message}`, 'NotExecuted', { cause: error });
}

/** No such job, no lock, not active, and the lock of another. */
const lostCodes = new Set([-1, -2, -3, -6]);
