import type { Commands } from '@ashlar/store/redis-connection';
import type { DeadLetter, DeadLetterPage, DeadLetterSelection } from '../../dead-letters.ts';
import type { GroupQueue } from './group-queue.ts';
import { isLost } from './group-queue.ts';
import type { BullJob } from './library.ts';
import { firstOf, jobIdsOf, messageIdOf } from './names.ts';
import { deadScript } from './scripts/jobs.ts';
import { received, withoutExpiry } from './wire.ts';

/** What is sent at once. */
const batchSize = 100;

/** The failed jobs of a queue. */
export class DeadJobs {
  readonly #commands: Commands;
  readonly #groupQueue: GroupQueue;

  constructor(commands: Commands, groupQueue: GroupQueue) {
    this.#commands = commands;
    this.#groupQueue = groupQueue;
  }

  async page({ limit, after }: DeadLetterPage): Promise<readonly DeadLetter[]> {
    let start = 0;
    if (after !== undefined) {
      const isThere = (rank: number) => rank >= 0;
      start = (await firstOf(jobIdsOf(after), jobId => this.#rank(jobId), isThere)) + 1;
    }
    const letters: DeadLetter[] = [];
    // The jobs of some of them may be gone: a page is full as long as there are more
    for (let asked = limit; letters.length < limit; start += asked) {
      asked = limit - letters.length;
      const jobs = await this.#groupQueue.queue.getJobs(['failed'], start, start + asked - 1, true);
      // Or there again, though not as dead ones
      const dead = jobs.filter(({ failedReason }) => failedReason !== undefined);
      letters.push(...dead.map(job => this.#letter(job)));
      if (jobs.length < asked && (await this.#count()) <= start + asked) break;
    }
    return letters;
  }

  redrive(selection: DeadLetterSelection): Promise<number> {
    return this.#each(selection, async jobId => {
      if (!(await this.#isDead(jobId))) return false;
      const job = await this.#groupQueue.queue.getJob(jobId);
      if (job === undefined) return false;
      const lasting = withoutExpiry(job.data);
      if (lasting !== undefined) await job.updateData(lasting); // It would be dropped
      await job.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true });
      return true;
    });
  }

  purge(selection: DeadLetterSelection): Promise<number> {
    return this.#each(selection, async jobId => {
      if (!(await this.#isDead(jobId))) return false;
      if ((await this.#groupQueue.scripts.remove(jobId, true)) !== 1) return false;
      await this.#groupQueue.keepId(this.#commands, jobId);
      return true;
    });
  }

  async #rank(jobId: string): Promise<number> {
    const rank = await this.#commands.reading('ZRANK', [this.#groupQueue.key('failed'), jobId], false);
    return (rank as number | null) ?? -1;
  }

  async #isDead(jobId: string): Promise<boolean> {
    const keys = ['failed', jobId].map(type => this.#groupQueue.key(type));
    return (await this.#commands.script(deadScript, [...keys, jobId], { outcome: 'NotExecuted' })) === 1;
  }

  async #count(): Promise<number> {
    return (await this.#commands.reading('ZCARD', [this.#groupQueue.key('failed')], false)) as number;
  }

  /** Oldest first. Returns of how many `work` was done. */
  async #each(
    { ids, limit = Infinity }: DeadLetterSelection,
    work: (jobId: string) => Promise<boolean>,
  ): Promise<number> {
    const named = ids && [...new Set(ids)].map(jobIdsOf);
    const all = named ?? (await this.#ids(limit)).map(jobId => [jobId]);
    const done = (jobIds: readonly string[]) =>
      firstOf(
        jobIds,
        jobId => attempted(() => work(jobId)),
        isDone => isDone,
      );
    let count = 0;
    for (let at = 0; at < all.length && count < limit; at += batchSize) {
      const batch = all.slice(at, at + Math.min(batchSize, limit - count));
      count += (await Promise.all(batch.map(done))).filter(Boolean).length;
    }
    return count;
  }

  async #ids(limit: number): Promise<readonly string[]> {
    const last = limit === Infinity ? -1 : limit - 1;
    const range = this.#commands.reading('ZRANGE', [this.#groupQueue.key('failed'), 0, last], false);
    return (await range) as readonly string[];
  }

  #letter(job: BullJob): DeadLetter {
    const { topic, group } = this.#groupQueue;
    const id = messageIdOf(job.id!);
    const { body, headers, key } = received(job, id);
    const { failedReason = '', attemptsStarted, attemptsMade, finishedOn = 0 } = job;
    return {
      ...{ id, topic, group, body, headers, key },
      reason: failedReason,
      deliveries: attemptsStarted,
      failures: attemptsMade,
      diedAtMs: finishedOn,
    };
  }
}

/** One that is no longer dead is left alone. */
async function attempted(work: () => Promise<boolean>): Promise<boolean> {
  try {
    return await work();
  } catch (error) {
    if (isLost(error)) return false;
    throw error;
  }
}
