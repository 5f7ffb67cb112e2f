import type { Commands } from '@ashlar/store/redis-connection';
import type { DeadLetter, DeadLetterPage, DeadLetterSelection } from '../../dead-letters.ts';
import type { GroupQueue } from './group-queue.ts';
import { isLost } from './group-queue.ts';
import type { BullJob } from './library.ts';
import { jobIdOf, messageIdOf } from './names.ts';
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
    const start = after === undefined ? 0 : (await this.#rank(jobIdOf(after))) + 1;
    const jobs = await this.#groupQueue.queue.getJobs(['failed'], start, start + limit - 1, true);
    return jobs.map(job => this.#letter(job));
  }

  redrive(selection: DeadLetterSelection): Promise<number> {
    return this.#each(selection, async id => {
      const job = await this.#groupQueue.queue.getJob(id);
      if (job === undefined) return false;
      const lasting = withoutExpiry(job.data);
      if (lasting !== undefined) await job.updateData(lasting); // It would be dropped
      await job.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true });
      return true;
    });
  }

  purge(selection: DeadLetterSelection): Promise<number> {
    return this.#each(selection, async id => {
      if ((await this.#rank(id)) < 0) return false;
      if ((await this.#groupQueue.scripts.remove(id, true)) !== 1) return false;
      await this.#groupQueue.keepId(this.#commands, id);
      return true;
    });
  }

  async #rank(id: string): Promise<number> {
    const rank = await this.#commands.reading('ZRANK', [this.#groupQueue.key('failed'), id], false);
    return (rank as number | null) ?? -1;
  }

  /** Oldest first. Returns of how many `work` was done. */
  async #each(
    { ids, limit = Infinity }: DeadLetterSelection,
    work: (id: string) => Promise<boolean>,
  ): Promise<number> {
    const all = ids?.map(jobIdOf) ?? (await this.#ids(limit));
    let done = 0;
    for (let at = 0; at < all.length && done < limit; at += batchSize) {
      const batch = all.slice(at, at + Math.min(batchSize, limit - done));
      const results = await Promise.all(batch.map(id => attempted(() => work(id))));
      done += results.filter(Boolean).length;
    }
    return done;
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
