import type { Commands } from '@ashlar/store/redis-connection';
import {
  type OutgoingMessage,
  outcomeOf,
  type Published,
  type PublishSettings,
  refusal,
} from '../../driver.ts';
import { UnroutedError } from '../../errors.ts';
import { batchParts } from '../../messages/batch-parts.ts';
import type { GroupQueue } from './group-queue.ts';
import type { BullFlowProducer, BullJob, JobOptions, NewJob } from './library.ts';
import { resultsOf } from './link-client.ts';
import { jobIdOf } from './names.ts';
import type { Registry } from './registry.ts';
import { freeKeyScript, markScript, sortScript } from './scripts/jobs.ts';
import { jobData } from './wire.ts';

export interface PublisherParts {
  readonly commands: Commands;
  readonly registry: Registry;
  readonly flows: BullFlowProducer;
  readonly prefix: string;
  readonly deduplicationMs: number;
  readonly maxCompleted: number;
  readonly maxDead: number;
  groupQueue(topic: string, group: string): GroupQueue;
}

/** Of BullMQ's priorities, 1 comes first; those without one precede all. */
const lowestPriority = 10;

const ok: Published = { ok: true };
const duplicate: Published = { ok: true, isDuplicate: true };

/** Adds messages to the queues of their groups. */
export class Publisher {
  readonly #parts: PublisherParts;
  readonly #kept: Pick<JobOptions, 'removeOnComplete' | 'removeOnFail'>;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
    const { deduplicationMs, maxCompleted, maxDead } = parts;
    this.#kept = {
      removeOnComplete: { age: Math.ceil(deduplicationMs / 1_000), count: maxCompleted },
      removeOnFail: { count: maxDead },
    };
  }

  async publish(
    topic: string,
    batch: readonly OutgoingMessage[],
    { allowUnrouted = false }: PublishSettings = {},
  ): Promise<readonly Published[]> {
    try {
      const { registry, groupQueue } = this.#parts;
      const known = await registry.topic(topic);
      const { groups, isSorted } = known;
      let { hasPriorities } = known;
      if (groups.length === 0)
        return batch.map(() => (allowUnrouted ? ok : refusal(new UnroutedError(topic))));
      // Whoever had begun with that may have died
      if (!isSorted && batch.some(({ priority = 0 }) => priority > 0)) {
        await this.#prioritize(topic, groups);
        hasPriorities = true;
      }
      const queues = groups.map(group => groupQueue(topic, group));
      const parts = batchParts(batch).map(part => this.#send(topic, queues, part, hasPriorities));
      return (await Promise.all(parts)).flat();
    } catch (error) {
      return batch.map(() => failure(error));
    }
  }

  async #send(
    topic: string,
    queues: readonly GroupQueue[],
    batch: readonly OutgoingMessage[],
    hasPriorities: boolean,
  ): Promise<readonly Published[]> {
    try {
      const jobs = batch.map(message => this.#job(topic, message, hasPriorities));
      const added = await this.#add(queues, jobs);
      const published: Published[] = [];
      for (const [index, job] of jobs.entries()) {
        if (batch[index]!.deduplication === undefined) {
          published.push(ok);
          continue;
        }
        const taken = await Promise.all(
          queues.map((queue, group) => this.#isTaken(queue, job, batch[index]!, added[group]![index]!)),
        );
        published.push(taken.includes(true) ? ok : duplicate);
      }
      return published;
    } catch (error) {
      const results = resultsOf(error);
      return batch.map((_, index) => {
        const [failed = null] = results?.[index] ?? [error];
        return failed === null ? ok : failure(failed);
      });
    }
  }

  /** Of each queue, the jobs that it has now: those that were there before, where these are duplicates. */
  async #add(queues: readonly GroupQueue[], jobs: readonly NewJob[]): Promise<(readonly BullJob[])[]> {
    const [first, ...others] = queues as [GroupQueue, ...GroupQueue[]];
    if (others.length === 0) {
      const [job] = jobs;
      if (jobs.length > 1) return [await first.queue.addBulk(jobs)];
      return [[await first.queue.add(job!.name, job!.data, job!.opts)]];
    }
    // All groups in one transaction
    const { flows, prefix } = this.#parts;
    const nodes = jobs.flatMap(job =>
      queues.map(({ name }) => ({ ...job, opts: { ...job.opts }, queueName: name, prefix })),
    );
    const added = await flows.addBulk(nodes);
    return queues.map((_, group) => jobs.map((_, index) => added[index * queues.length + group]!.job));
  }

  /** Whether the group has the message, or had it before: false when another has the key of its deduplication. */
  async #isTaken(
    queue: GroupQueue,
    job: NewJob,
    { deduplication }: OutgoingMessage,
    added: BullJob,
  ): Promise<boolean> {
    if (added.id === job.opts.jobId || deduplication === undefined) return true;
    const holder = added.id!;
    const types = [`de:${deduplication.key}`, 'wait', 'paused', 'prioritized', holder];
    const replaces = deduplication.mode === 'debounce' ? 1 : 0;
    const keys = types.map(type => queue.key(type));
    const args = [...keys, holder, replaces, new Date().toISOString()];
    if (deduplication.mode === 'throttle') return false;
    const freed = await this.#parts.commands.script(freeKeyScript, args);
    if (freed === 0) return false;
    const again = await queue.queue.add(job.name, job.data, job.opts);
    // Only then, so that a crash in between loses neither
    if (freed === 2) await queue.scripts.remove(holder, true);
    return again.id === job.opts.jobId;
  }

  #job(topic: string, message: OutgoingMessage, hasPriorities: boolean): NewJob {
    const { id, key, delayMs = 0, priority = 0, deduplication } = message;
    const isDebounced = deduplication?.mode === 'debounce';
    const delay = Math.ceil(isDebounced ? deduplication.ttlMs : delayMs);
    return {
      name: topic,
      data: jobData(topic, message),
      opts: {
        jobId: jobIdOf(id),
        ...this.#kept,
        ...(delay > 0 && { delay }),
        ...(hasPriorities && { priority: lowestPriority - priority }),
        ...(key !== undefined && { partitionkey: key }),
        ...(deduplication !== undefined && {
          deduplication: {
            id: deduplication.key,
            ...(deduplication.mode === 'throttle' && { ttl: Math.ceil(deduplication.ttlMs) }),
            ...(isDebounced && { replace: true }),
          },
        }),
      },
    };
  }

  /** From the first message with a priority on, all of the topic have one: BullMQ hands out those without one first. */
  async #prioritize(topic: string, groups: readonly string[]): Promise<void> {
    const { registry, groupQueue } = this.#parts;
    await registry.prioritize(topic);
    for (const group of groups) {
      const queue = groupQueue(topic, group);
      await this.#sort(queue);
      await this.#mark(queue);
      await this.#sort(queue); // What has come back meanwhile
    }
    await registry.sorted(topic);
  }

  async #sort(queue: GroupQueue): Promise<void> {
    const keys = ['wait', 'paused', 'prioritized', 'pc'].map(type => queue.key(type));
    const args = [...keys, queue.key(''), lowestPriority];
    while ((await this.#parts.commands.script(sortScript, args)) !== 0);
  }

  async #mark(queue: GroupQueue): Promise<void> {
    const keys = ['active', 'delayed', 'failed'].map(type => queue.key(type));
    const args = (from: number) => [...keys, queue.key(''), lowestPriority, from];
    for (let from = 0; (await this.#parts.commands.script(markScript, args(from))) === 1; ) from += 1_000;
  }
}

function failure(error: unknown): Published {
  return { ok: false, outcome: outcomeOf(error), error: error as Error };
}
