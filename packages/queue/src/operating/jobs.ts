import { required } from '@ashlar/core';
import type { Driver, GroupStats, Job } from '../driver.ts';
import { decode } from '../messages/envelope.ts';
import { idText, topicName } from '../names.ts';
import { methodOf } from './method-of.ts';

/** What is known of one message of a group. */
export interface FoundJob extends Omit<Job, 'progress' | 'result'> {
  readonly id: string;
  /** What its handler last passed to `context.progress`. */
  readonly progress: unknown;
  /** What its handler returned, with the option `results`. */
  readonly result: unknown;
}

const requiredId = required(idText);

/** The messages of a driver's groups, one by its id or all of a group, as far as the driver can. */
export class Jobs {
  readonly #driver: Driver;

  constructor(driver: Driver) {
    this.#driver = driver;
  }

  async find(topic: string, id: string, group: string): Promise<FoundJob | undefined> {
    const find = methodOf(this.#driver, 'find', 'a record of jobs');
    const job = await find(...place(topic, group), requiredId(id, 'id'));
    if (job === undefined) return undefined;
    const read = (bytes: Uint8Array | undefined) => bytes && decode(topic, bytes, undefined);
    return { ...job, id, progress: read(job.progress), result: read(job.result) };
  }

  async cancel(topic: string, id: string, group: string): Promise<boolean> {
    const cancel = methodOf(this.#driver, 'cancel', 'a record of jobs');
    return cancel(...place(topic, group), requiredId(id, 'id'));
  }

  async setPaused(method: 'pause' | 'resume', topic: string, group: string): Promise<void> {
    await methodOf(this.#driver, method, 'a pause')(...place(topic, group));
  }

  async stats(topic: string, group: string): Promise<GroupStats> {
    return methodOf(this.#driver, 'stats', 'counts')(...place(topic, group));
  }
}

function place(topic: string, group: string): [topic: string, group: string] {
  return [topicName(topic, 'topic'), topicName(group, 'group')];
}
