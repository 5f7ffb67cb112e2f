import type { Commands } from '@ashlar/store/redis-connection';
import type { Job } from '../../driver.ts';
import { type GroupQueue, refusalOf } from './group-queue.ts';
import { firstOf, jobIdsOf } from './names.ts';
import { findScript, releaseScript } from './scripts/jobs.ts';

/** To take a message away. */
const attempts = 3;

type Found = readonly [Job['state'], ...(string | null)[]];

/** Single jobs of a queue, by the ids of their messages. */
export class Jobs {
  readonly #commands: Commands;
  readonly #groupQueue: GroupQueue;

  constructor(commands: Commands, groupQueue: GroupQueue) {
    this.#commands = commands;
    this.#groupQueue = groupQueue;
  }

  find(id: string): Promise<Job | undefined> {
    return firstOf(
      jobIdsOf(id),
      jobId => this.#find(jobId),
      job => job !== undefined,
    );
  }

  cancel(id: string): Promise<boolean> {
    return firstOf(
      jobIdsOf(id),
      jobId => this.#cancel(jobId),
      isCanceled => isCanceled,
    );
  }

  async #find(jobId: string): Promise<Job | undefined> {
    const types = [jobId, `${jobId}:lock`, 'delayed', 'failed', 'completed', 'active'];
    const keys = types.map(type => this.#groupQueue.key(type));
    const reply = this.#commands.script(findScript, [...keys, jobId], { outcome: 'NotExecuted' });
    const [state, started, made, progress, result, reason] = ((await reply) ?? []) as Partial<Found>;
    if (state === undefined) return undefined;
    // What has no result is forgotten, as it is without a record of jobs
    const hasResult = result !== null && result !== undefined && result !== 'null';
    if (state === 'done' && !hasResult) return undefined;
    return {
      state,
      deliveries: Number(started ?? 0),
      // Being done counts as an attempt
      failures: Number(made ?? 0) - (state === 'done' ? 1 : 0),
      progress: bytesOf(progress),
      result: state === 'done' ? bytesOf(result) : undefined,
      reason: state === 'dead' ? (reason ?? undefined) : undefined,
    };
  }

  async #cancel(jobId: string): Promise<boolean> {
    const { scripts } = this.#groupQueue;
    const keys = [jobId, `${jobId}:lock`].map(type => this.#groupQueue.key(type));
    // It may be handed out in between, and a child of it may be in hands, which then goes on without it
    for (let attempt = 0; attempt < attempts; attempt++) {
      if ((await this.#commands.script(releaseScript, keys)) !== 1) return false;
      const removed = scripts.remove(jobId, attempt === 0);
      if ((await removed.catch(error => Promise.reject(refusalOf(error) ?? error))) !== 1) continue;
      await this.#groupQueue.keepId(this.#commands, jobId);
      return true;
    }
    return false;
  }
}

function bytesOf(text: string | null | undefined): Uint8Array | undefined {
  return text === null || text === undefined ? undefined : Buffer.from(text);
}
