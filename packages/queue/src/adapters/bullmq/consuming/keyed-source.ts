import type { Commands } from '@ashlar/store/redis-connection';
import type { ConsumeOptions, Rate } from '../../../driver.ts';
import { GroupQueue, type GroupQueueParts } from '../group-queue.ts';
import { claimScript } from '../scripts/claim.ts';
import type { Held } from './held.ts';
import type { Claimed, Source } from './source.ts';

export type Sharing = Pick<ConsumeOptions, 'ordered' | 'fair' | 'limits'>;

export interface KeyedParts extends GroupQueueParts {
  readonly topic: string;
  readonly group: string;
  readonly commands: Commands;
  /** The key of the record of the topic, which begins those of the lanes. */
  readonly record: string;
}

/** Whether what is asked for needs a choice by keys, which BullMQ alone does not make. */
export function isKeyed({ ordered, fair, limits }: Sharing): boolean {
  const { rate, keyRate, keyConcurrency } = limits ?? {};
  return (
    ordered === true || fair === true || [rate, keyRate, keyConcurrency].some(each => each !== undefined)
  );
}

/** What is settled between two claims, and told with the next. */
const maxFreed = 1_000;

/**
 * The jobs of a queue by their keys: in turn, in order, within limits over all consumers. A script of ours takes the place
 * of the one with which BullMQ fetches a job; all else is as with a plain source.
 */
export class KeyedSource implements Source {
  /** BullMQ's own choice comes with its own settling. */
  readonly fetchesNext = false;
  readonly groupQueue: GroupQueue;
  readonly #parts: KeyedParts;
  readonly #sharing: readonly (string | number)[];
  #freed: string[] = [];
  #token = '';

  constructor(parts: KeyedParts, { ordered = false, fair = false, limits = {} }: Sharing) {
    this.#parts = parts;
    const { rate, keyRate, keyConcurrency = 0 } = limits;
    this.#sharing = [Number(ordered), Number(fair), ...pair(rate), ...pair(keyRate), keyConcurrency];
    const client = parts.client.fetchingBy(() => this.#claim());
    this.groupQueue = new GroupQueue(parts.topic, parts.group, { ...parts, client });
  }

  async claim(_places: number, makeToken: () => string): Promise<Claimed> {
    this.#token = makeToken();
    const job = await this.groupQueue.fetch(this.#token);
    const { moreInMs } = this.groupQueue;
    return { jobs: job === undefined ? [] : [{ job, token: this.#token }], moreInMs };
  }

  settled({ job, jobId }: Held): void {
    const { partitionkey } = job.opts;
    this.#freed.push(partitionkey === undefined ? '-' : `k${partitionkey}`, jobId);
    // What is not told is found within a second
    if (this.#freed.length > 2 * maxFreed) this.#freed.splice(0, 2);
  }

  #claim(): Promise<unknown> {
    const { commands, record, leaseMs } = this.#parts;
    const freed = this.#freed;
    this.#freed = [];
    const { name } = this.groupQueue;
    const now = Date.now();
    const args = [`${record}:${name}`, this.groupQueue.key(''), now, Math.ceil(leaseMs), this.#token];
    const time = new Date(now).toISOString();
    return commands.script(claimScript, [...args, ...this.#sharing, time, ...freed]);
  }
}

function pair(rate: Rate | undefined): [number, number] {
  return rate === undefined ? [0, 0] : [rate.count, rate.perMs];
}
