import { type Client, Commands, clientLike, Link } from '@ashlar/store/redis-connection';
import * as installed from '#bullmq';
import type { DeadLetter, DeadLetterPage, DeadLetterSelection } from '../dead-letters.ts';
import type {
  Capabilities,
  ConsumeOptions,
  Delivery,
  Driver,
  GroupStats,
  Job,
  OutgoingMessage,
  Published,
  PublishSettings,
} from '../driver.ts';
import { QueueClosedError } from '../errors.ts';
import { checkGroup } from './bullmq/check-group.ts';
import { consume } from './bullmq/consuming/consumer.ts';
import { isKeyed, KeyedSource } from './bullmq/consuming/keyed-source.ts';
import { plainSource } from './bullmq/consuming/plain-source.ts';
import { DeadJobs } from './bullmq/dead-jobs.ts';
import { GroupQueue } from './bullmq/group-queue.ts';
import { Jobs } from './bullmq/jobs.ts';
import type { BullFlowProducer } from './bullmq/library.ts';
import { LinkClient } from './bullmq/link-client.ts';
import { queueName } from './bullmq/names.ts';
import { Publisher } from './bullmq/publisher.ts';
import { Registry } from './bullmq/registry.ts';
import { type BullmqOptions, readSettings, type Settings } from './bullmq/settings.ts';
import { redisErrors } from './redis-errors.ts';
import { RedisSafety } from './redis-safety.ts';

export type { RedisLike } from '@ashlar/store/redis-connection';
export type { BullmqLibrary } from './bullmq/library.ts';
export type { BullmqOptions, BullQueueLike, ConnectionOptions } from './bullmq/settings.ts';

/** What the driver over BullMQ can do. */
export interface BullmqCapabilities extends Capabilities {
  readonly delay: true;
  readonly priority: true;
  readonly fanout: true;
  readonly durable: true;
  readonly orderedKeys: true;
  readonly deadLetters: true;
  readonly crashCount: true;
  readonly uniqueIds: true;
  readonly deduplication: true;
  readonly fairness: true;
  readonly limits: true;
  readonly expiry: true;
  readonly jobs: true;
}

const capabilities: BullmqCapabilities = {
  delay: true,
  priority: true,
  fanout: true,
  durable: true,
  orderedKeys: true,
  deadLetters: true,
  crashCount: true,
  uniqueIds: true,
  deduplication: true,
  fairness: true,
  limits: true,
  expiry: true,
  jobs: true,
};

const driverName = 'the bullmq driver';

/**
 * Messages as jobs of BullMQ, 5.81.5 or later or 6.3.3 or later: a queue for each group, that of the group `default` with the
 * name of the topic. Jobs of other code are handed out too, and other code may read these: their data is a CloudEvent.
 *
 * @throws InvalidOptionError
 */
export function bullmq(options: BullmqOptions): Driver<BullmqCapabilities> {
  return new BullmqDriver(readSettings(options, installed));
}

class BullmqDriver implements Driver<BullmqCapabilities> {
  readonly kind = 'bullmq';
  readonly capabilities: BullmqCapabilities = capabilities;
  readonly leaseMs: number;
  readonly #settings: Settings;
  readonly #safety: RedisSafety;
  readonly #link: Link;
  readonly #links = new Set<Link>();
  readonly #commands: Commands;
  readonly #client: LinkClient;
  readonly #registry: Registry;
  readonly #publisher: Publisher;
  readonly #queues = new Map<string, GroupQueue>();
  #isClosed = false;

  constructor(settings: Settings) {
    const { prefix, timeoutMs, allowEviction, library } = settings;
    this.#settings = settings;
    this.leaseMs = settings.leaseMs;
    this.#safety = new RedisSafety(this.kind, allowEviction);
    this.#link = this.#open();
    this.#commands = new Commands(this.#link, timeoutMs);
    this.#client = new LinkClient(this.#link, timeoutMs);
    this.#registry = new Registry(this.#commands, prefix);
    const options = { connection: this.#client, prefix, skipVersionCheck: true };
    const flows = new library.FlowProducer(options as never) as BullFlowProducer;
    flows.on('error', () => {}); // Calls reject with the same
    this.#publisher = new Publisher({
      ...settings,
      flows,
      commands: this.#commands,
      registry: this.#registry,
      groupQueue: (topic, group) => this.#queue(topic, group),
    });
  }

  async declare(topic: string, group: string): Promise<void> {
    await this.#registry.declare(topic, group, this.#queue(topic, group).key('meta'));
  }

  publish(
    topic: string,
    batch: readonly OutgoingMessage[],
    settings?: PublishSettings,
  ): Promise<readonly Published[]> {
    return this.#publisher.publish(topic, batch, settings);
  }

  consume(topic: string, group: string, options: ConsumeOptions): AsyncIterable<Delivery> {
    if (this.#isClosed) throw new QueueClosedError(driverName);
    const { leaseMs, timeoutMs } = this.#settings;
    const open = () => this.#open();
    const close = (link: Link) => {
      link.abort();
      this.#links.delete(link);
    };
    const record = this.#registry.key(topic);
    const shared = { commands: this.#commands, record, leaseMs, timeoutMs, open, close };
    if (isKeyed(options)) {
      const source = new KeyedSource(
        { ...this.#settings, ...shared, topic, group, client: this.#client },
        options,
      );
      return consume({ ...shared, groupQueue: source.groupQueue }, source, options);
    }
    const groupQueue = this.#queue(topic, group);
    return consume({ ...shared, groupQueue }, plainSource(groupQueue), options);
  }

  async inspect(topic: string, group: string, page: DeadLetterPage): Promise<readonly DeadLetter[]> {
    return new DeadJobs(this.#commands, await this.#declared(topic, group)).page(page);
  }

  async redrive(topic: string, group: string, selection: DeadLetterSelection): Promise<number> {
    return new DeadJobs(this.#commands, await this.#declared(topic, group)).redrive(selection);
  }

  async purge(topic: string, group: string, selection: DeadLetterSelection): Promise<number> {
    return new DeadJobs(this.#commands, await this.#declared(topic, group)).purge(selection);
  }

  async stats(topic: string, group: string): Promise<GroupStats> {
    const { queue } = await this.#declared(topic, group);
    const types = ['wait', 'paused', 'prioritized', 'delayed', 'active', 'failed'];
    const counts = await queue.getJobCounts(...types);
    const of = (type: string) => counts[type] ?? 0;
    const waiting = of('wait') + of('paused') + of('prioritized');
    return { waiting, delayed: of('delayed'), active: of('active'), dead: of('failed') };
  }

  async probe(topic: string, group: string): Promise<void> {
    await this.#declared(topic, group);
  }

  async pause(topic: string, group: string): Promise<void> {
    const { queue } = await this.#declared(topic, group);
    await queue.pause();
  }

  async resume(topic: string, group: string): Promise<void> {
    const { queue } = await this.#declared(topic, group);
    await queue.resume();
  }

  async find(topic: string, group: string, id: string): Promise<Job | undefined> {
    return new Jobs(this.#commands, await this.#declared(topic, group)).find(id);
  }

  async cancel(topic: string, group: string, id: string): Promise<boolean> {
    return new Jobs(this.#commands, await this.#declared(topic, group)).cancel(id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    const waiting = [...this.#links].filter(link => link !== this.#link);
    for (const link of waiting) link.abort();
    await this.#link.close();
  }

  #queue(topic: string, group: string): GroupQueue {
    const name = queueName(topic, group);
    let queue = this.#queues.get(name);
    if (queue === undefined) {
      queue = new GroupQueue(topic, group, { ...this.#settings, client: this.#client });
      this.#queues.set(name, queue);
    }
    return queue;
  }

  /** The queue of a group that is there. @throws GroupGoneError */
  async #declared(topic: string, group: string): Promise<GroupQueue> {
    const queue = this.#queue(topic, group);
    await checkGroup(this.#commands, this.#registry.key(topic), queue);
    return queue;
  }

  #open(): Link {
    const { redis, prefix, timeoutMs } = this.#settings;
    const connectTimeoutMs = Math.max(1_000, timeoutMs);
    // All keys are in its slot of a cluster
    const key = `${prefix}:`;
    const link = new Link({
      connectTimeoutMs,
      errors: redisErrors(driverName),
      prepare: client => this.#safety.check(client, key),
      checkAgainMs: 10_000,
      make: (): Client => clientLike(redis, { connectionName: 'ashlar-queue', connectTimeoutMs, key }),
    });
    this.#links.add(link);
    return link;
  }
}
