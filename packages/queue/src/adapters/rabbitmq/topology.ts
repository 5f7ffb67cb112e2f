import type { Channel } from 'amqplib';
import type { Link } from './link.ts';
import { delayBucket, exchangeOf, groupNames } from './names.ts';
import type { Settings } from './options.ts';
import { isForbidden } from './refusals.ts';

/** How long RabbitMQ 3.10 may keep a confirmed declaration in memory only, and more. */
const declaredAgainMs = 300_000;
/** Priorities of messages are 0 to 9. */
const maxPriority = 9;

/** Where a message goes: by the exchange of its topic, or to one queue by its name. */
export interface Target {
  readonly exchange: string;
  readonly key: string;
}

/** The exchanges and queues of one driver, each declared before it is used. */
export class Topology {
  readonly #settings: Settings;
  /** When each group was declared here. */
  readonly #groups = new Map<string, { topic: string; group: string; atMs: number }>();
  /** Exchanges and delay queues that are there as long as a connection is. */
  readonly #known = new Map<string, Promise<void>>();

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  async declare(link: Link, topic: string, group: string): Promise<void> {
    const { queue } = groupNames(this.#settings.prefix, topic, group);
    await link.aside(channel => this.#declare(channel, topic, group), 'Unknown');
    this.#groups.set(queue, { topic, group, atMs: performance.now() });
  }

  /**
   * RabbitMQ 3.10 may lose a declaration that it has confirmed when it is killed soon after. What refuses it shows when the
   * group is used.
   */
  async declareAgain(open: () => Promise<Channel>): Promise<void> {
    const since = performance.now() - declaredAgainMs;
    for (const [queue, { topic, group, atMs }] of this.#groups) {
      if (atMs < since) {
        this.#groups.delete(queue);
        continue;
      }
      const channel = await open();
      await this.#declare(channel, topic, group).catch(() => {});
      channel.close().catch(() => {}); // RabbitMQ has closed it
    }
  }

  /** A channel of the publishing connection has ended: what is known may be gone. */
  forget(): void {
    this.#known.clear();
  }

  /** The exchange of a topic, which is there when this has resolved. */
  async exchange(link: Link, topic: string): Promise<string> {
    const exchange = exchangeOf(this.#settings.prefix, topic);
    await this.#once(exchange, async () => {
      try {
        await link.aside(
          channel => channel.assertExchange(exchange, 'fanout', { durable: true }),
          'NotExecuted',
        );
      } catch (error) {
        if (!isForbidden(error)) throw error;
        // A user who may only write may use what is there
        await link.aside(channel => channel.checkExchange(exchange), 'NotExecuted');
      }
    });
    return exchange;
  }

  /** A queue without consumers, whose messages go on to their target when their time is over. `isGone`: it was deleted. */
  async delayQueue(
    link: Link,
    target: Target,
    delayMs: number,
    { isGone = false }: { readonly isGone?: boolean } = {},
  ): Promise<string> {
    const queue = `${target.key || `${target.exchange}:`}:delay:${delayBucket(delayMs)}`;
    const declared = {
      durable: true,
      arguments: {
        'x-queue-type': 'quorum',
        'x-dead-letter-exchange': target.exchange,
        'x-dead-letter-routing-key': target.key,
        // A message leaves this queue when its target has it
        'x-dead-letter-strategy': 'at-least-once',
        'x-overflow': 'reject-publish',
      },
    };
    if (isGone) this.#known.delete(queue);
    await this.#once(queue, () => link.aside(channel => channel.assertQueue(queue, declared), 'NotExecuted'));
    return queue;
  }

  async #declare(channel: Channel, topic: string, group: string): Promise<void> {
    const { prefix, queueType, maxMessages, maxDead } = this.#settings;
    const { exchange, queue, dead } = groupNames(prefix, topic, group);
    await channel.assertExchange(exchange, 'fanout', { durable: true });
    await channel.assertQueue(dead, { durable: true, arguments: { 'x-max-length': maxDead } });
    await channel.assertQueue(queue, {
      durable: true,
      arguments: {
        'x-queue-type': queueType,
        'x-max-length': maxMessages,
        'x-overflow': 'reject-publish',
        // What RabbitMQ takes out by itself, by its limit of deliveries or a policy, would be gone
        'x-dead-letter-exchange': '',
        'x-dead-letter-routing-key': dead,
        ...(queueType === 'classic'
          ? { 'x-max-priority': maxPriority }
          : { 'x-dead-letter-strategy': 'at-least-once' }),
      },
    });
    await channel.bindQueue(queue, exchange, '');
  }

  #once(name: string, declare: () => Promise<unknown>): Promise<void> {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const declaring: Promise<void> = declare().then(
      () => {},
      error => {
        if (this.#known.get(name) === declaring) this.#known.delete(name);
        throw error;
      },
    );
    this.#known.set(name, declaring);
    return declaring;
  }
}
