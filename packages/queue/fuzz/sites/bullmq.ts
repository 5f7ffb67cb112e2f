import * as six from 'bullmq';
import * as five from 'bullmq-5';
import type { Redis } from 'ioredis';
import { jobIdOf, queueName } from '../../src/adapters/bullmq/names.ts';
import { type BullmqLibrary, bullmq } from '../../src/adapters/bullmq.ts';
import type { Operation, RawJob, RawOp } from '../plan/plan.ts';
import { topic } from '../play/case.ts';
import { redisSite } from './redis.ts';
import { type Operator, type OtherCode, rawType, type Site, timeoutMs } from './site.ts';

/** BullMQ 5 and 6 have the same methods here, and types that are not each other's. */
type Library = typeof six;
const libraries = { '6': six, '5': five as unknown as Library };

export function bullmqSite(version: '5' | '6'): Promise<Site> {
  const library = libraries[version];
  return redisSite(
    ({ port, ...settings }) =>
      bullmq({ connection: { port }, timeoutMs, library: library as BullmqLibrary, ...settings }),
    {
      shares: true,
      operations: ['purge', 'delete'],
      others: settings => new RawCode(library, settings),
    },
  );
}

interface Settings {
  readonly port: number;
  readonly prefix: string;
  readonly admin: Redis;
}

/** BullMQ as it is used without the driver. */
class RawCode implements OtherCode, Operator, AsyncDisposable {
  readonly #library: Library;
  readonly #prefix: string;
  readonly #admin: Redis;
  readonly #connection: { readonly port: number; readonly retryStrategy: () => number };
  readonly #queues = new Map<string, six.Queue>();
  /** Of its own jobs: those of messages are written otherwise. */
  readonly #ids = new Set<string>();
  #flows: six.FlowProducer | undefined;

  constructor(library: Library, { port, prefix, admin }: Settings) {
    this.#library = library;
    this.#admin = admin;
    this.#prefix = prefix;
    this.#connection = { port, retryStrategy: () => 10 };
  }

  async add(
    group: string,
    { delayMs, priority, first, forgotten, children = 0 }: RawJob,
    id: string | undefined,
    body: (index: number) => object,
  ): Promise<string[]> {
    const opts = {
      ...(id !== undefined && { jobId: id }),
      ...(delayMs !== undefined && { delay: delayMs }),
      ...(priority !== undefined && { priority }),
      ...(first && { lifo: true }),
      ...(forgotten && { removeOnComplete: true, removeOnFail: true }),
    };
    const jobs =
      children === 0
        ? [await this.#queue(group).add(rawType, body(0), opts)]
        : await this.#addFlow(group, opts, children, body);
    const ids = jobs.map(job => job.id!);
    for (const each of ids) this.#ids.add(each);
    return ids;
  }

  pause(group: string): Promise<void> {
    return this.#queue(group).pause();
  }

  resume(group: string): Promise<void> {
    return this.#queue(group).resume() as Promise<void>;
  }

  async job(group: string, op: RawOp, messageId: string): Promise<boolean> {
    const queue = this.#queue(group);
    const id = this.#ids.has(messageId) ? messageId : jobIdOf(messageId);
    const job = await queue.getJob(id);
    if (job === undefined) return false;
    try {
      if (op === 'remove') await job.remove();
      else if (op === 'promote') await job.promote();
      else if (op === 'evict') await this.#admin.del(queue.toKey(id));
      else await job.retry((await job.isCompleted()) ? 'completed' : 'failed');
      return true;
    } catch {
      return false; // It is locked, or in another state
    }
  }

  async operate(group: string, op: Operation): Promise<void> {
    if (op === 'purge') await this.#queue(group).drain(true);
    else await this.#queue(group).obliterate({ force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#queues.values(), this.#flows].map(each => each?.close()));
  }

  async #addFlow(
    group: string,
    opts: object,
    count: number,
    body: (index: number) => object,
  ): Promise<six.Job[]> {
    const node = { name: rawType, queueName: queueName(topic, group), prefix: this.#prefix };
    const children = Array.from({ length: count }, (_, index) => ({ ...node, data: body(index + 1) }));
    const added = await this.#flow().add({ ...node, data: body(0), opts, children });
    return [added.job, ...(added.children ?? []).map(({ job }) => job)];
  }

  #flow(): six.FlowProducer {
    if (this.#flows === undefined) {
      this.#flows = new this.#library.FlowProducer({ connection: this.#connection, prefix: this.#prefix });
      this.#flows.on('error', () => {});
    }
    return this.#flows;
  }

  #queue(group: string): six.Queue {
    let queue = this.#queues.get(group);
    if (queue === undefined) {
      const options = { connection: this.#connection, prefix: this.#prefix };
      queue = new this.#library.Queue(queueName(topic, group), options);
      queue.on('error', () => {});
      this.#queues.set(group, queue);
    }
    return queue;
  }
}
