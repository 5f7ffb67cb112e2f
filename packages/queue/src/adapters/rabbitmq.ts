import { refused } from '@ashlar/core';
import type { Channel, ChannelModel } from 'amqplib';
import type { DeadLetter, DeadLetterPage, DeadLetterSelection } from '../dead-letters.ts';
import {
  type ConsumeOptions,
  type Delivery,
  type Driver,
  type GroupStats,
  type OutgoingMessage,
  outcomeOf,
  type Published,
  type PublishSettings,
  refusal,
} from '../driver.ts';
import {
  GroupGoneError,
  QueueClosedError,
  QueueFullError,
  QueueUnavailableError,
  UnroutedError,
} from '../errors.ts';
import { consume, type Next } from './rabbitmq/consumer.ts';
import { walk } from './rabbitmq/dead-queue.ts';
import { guarded, Link } from './rabbitmq/link.ts';
import { groupNames } from './rabbitmq/names.ts';
import {
  capabilitiesOf,
  type QueueType,
  type RabbitmqCapabilities,
  type RabbitmqOptions,
  readSettings,
  type Settings,
} from './rabbitmq/options.ts';
import { type Confirmed, Publisher, type Sendable } from './rabbitmq/publisher.ts';
import { isNotFound } from './rabbitmq/refusals.ts';
import { type Target, Topology } from './rabbitmq/topology.ts';
import { propertiesOf, type Stored } from './rabbitmq/wire.ts';

export type { QueueType, RabbitmqCapabilities, RabbitmqOptions } from './rabbitmq/options.ts';

/** The longest time that RabbitMQ lets a message wait: ten years. */
const longestDelayMs = 315_360_000_000;

const stored: Published = { ok: true };

/**
 * Messages in RabbitMQ 3.10 or later: an exchange for each topic, a queue for each group, publisher confirms and manual
 * acknowledgements. A delivery stays with its consumer as long as its connection.
 *
 * @throws InvalidOptionError
 */
export function rabbitmq<T extends QueueType = 'quorum'>(
  options: RabbitmqOptions<T>,
): Driver<RabbitmqCapabilities<T>> {
  const settings = readSettings(options);
  return new RabbitmqDriver<T>(settings);
}

class RabbitmqDriver<T extends QueueType> implements Driver<RabbitmqCapabilities<T>> {
  readonly kind = 'rabbitmq';
  readonly capabilities: RabbitmqCapabilities<T>;
  readonly #settings: Settings;
  readonly #topology: Topology;
  /** Apart from the other: RabbitMQ that is short of memory reads nothing of who publishes, acknowledgements neither. */
  readonly #publishing: Link;
  readonly #consuming: Link;
  readonly #publisher: Publisher;
  readonly #closing = new AbortController();
  /** One walk over the dead letters of this process at a time: it hides them from another. */
  #walking: Promise<unknown> = Promise.resolve();

  constructor(settings: Settings) {
    this.#settings = settings;
    this.capabilities = capabilitiesOf(settings.queueType);
    this.#topology = new Topology(settings);
    const { url, socket = {}, heartbeatMs, timeoutMs } = settings;
    const prepare = (model: ChannelModel) =>
      this.#topology.declareAgain(async () => guarded(await model.createChannel()));
    const link = { urls: url, socket, heartbeatMs, timeoutMs, prepare };
    this.#publishing = new Link(link);
    this.#consuming = new Link(link);
    this.#publisher = new Publisher(this.#publishing, timeoutMs, () => this.#topology.forget());
  }

  declare(topic: string, group: string): Promise<void> {
    return this.#topology.declare(this.#consuming, topic, group);
  }

  async publish(
    topic: string,
    batch: readonly OutgoingMessage[],
    { allowUnrouted = false }: PublishSettings = {},
  ): Promise<readonly Published[]> {
    if (batch.some(({ delayMs = 0 }) => delayMs > 0)) {
      return Promise.all(batch.map(message => this.#publishOne(topic, message, allowUnrouted)));
    }
    const all = batch.map(message => this.#sendable(message, allowUnrouted));
    let results: readonly (Confirmed | Error)[];
    try {
      const exchange = await this.#topology.exchange(this.#publishing, topic);
      results = await this.#publisher.publish(exchange, '', all);
    } catch (error) {
      results = all.map(() => error as Error);
    }
    return results.map(result => this.#published(topic, result, allowUnrouted));
  }

  consume(topic: string, group: string, options: ConsumeOptions): AsyncIterable<Delivery> {
    if (this.#consuming.isClosed) throw new QueueClosedError('the rabbitmq driver');
    const { queueType, timeoutMs, prefix } = this.#settings;
    const { queue } = groupNames(prefix, topic, group);
    const channel = () => this.#consuming.channel();
    const end = (ended: Channel) => this.#consuming.end(ended);
    const store = (message: Stored, next: Next) => this.#store(topic, group, message, next);
    const signal = AbortSignal.any([options.signal, this.#closing.signal]);
    const parts = { topic, group, queue, queueType, timeoutMs, channel, end, store };
    return consume(parts, { ...options, signal });
  }

  async inspect(
    topic: string,
    group: string,
    { limit, after }: DeadLetterPage,
  ): Promise<readonly DeadLetter[]> {
    const letters: DeadLetter[] = [];
    let isBefore = after !== undefined;
    await this.#walk(topic, group, ({ id, key, headers, body, diedAt, reason, deliveries, failures }) => {
      if (isBefore) {
        isBefore = id !== after;
        return 'keep';
      }
      if (letters.length >= limit) return 'stop';
      letters.push({
        ...{ id, topic, group, body, headers, key, reason, deliveries, failures },
        diedAtMs: diedAt,
      });
      return 'keep';
    });
    return letters;
  }

  redrive(topic: string, group: string, selection: DeadLetterSelection): Promise<number> {
    const fresh = { deliveries: 0, failures: 0, afterMs: 0 };
    return this.#takeDead(topic, group, selection, letter => this.#store(topic, group, letter, fresh));
  }

  purge(topic: string, group: string, selection: DeadLetterSelection): Promise<number> {
    return this.#takeDead(topic, group, selection, async () => {});
  }

  /** RabbitMQ says over AMQP neither what is in hands nor what is held back. */
  async stats(topic: string, group: string): Promise<GroupStats> {
    const { queue, dead } = groupNames(this.#settings.prefix, topic, group);
    return this.#inGroup(topic, group, () =>
      this.#consuming.aside(async channel => {
        const { messageCount: waiting, consumerCount: consumers } = await channel.checkQueue(queue);
        const { messageCount } = await channel.checkQueue(dead);
        return { waiting, dead: messageCount, consumers };
      }, 'NotExecuted'),
    );
  }

  async probe(topic: string, group: string): Promise<void> {
    const { queue } = groupNames(this.#settings.prefix, topic, group);
    await this.#inGroup(topic, group, () =>
      this.#consuming.aside(channel => channel.checkQueue(queue), 'NotExecuted'),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#publisher.drain();
    await Promise.all([this.#publishing.close(), this.#consuming.close()]);
  }

  async #publishOne(topic: string, message: OutgoingMessage, allowUnrouted: boolean): Promise<Published> {
    const { delayMs = 0 } = message;
    if (delayMs > longestDelayMs) {
      return refusal(refused('delayMs', `at most ${longestDelayMs}, as RabbitMQ has it`, delayMs));
    }
    const sendable = this.#sendable(message, allowUnrouted);
    let result: Confirmed | Error;
    try {
      const exchange = await this.#topology.exchange(this.#publishing, topic);
      result = await this.#send({ exchange, key: '' }, delayMs, sendable);
    } catch (error) {
      result = error as Error;
    }
    return this.#published(topic, result, allowUnrouted);
  }

  /** With a copy of the body, before anything is waited for. */
  #sendable(message: OutgoingMessage, allowUnrouted: boolean): Sendable {
    const { expiresInMs, priority, body } = message;
    const expiresAt = expiresInMs === undefined ? undefined : Date.now() + expiresInMs;
    const options = propertiesOf(message, { expiresAt });
    options.mandatory = !allowUnrouted;
    if (this.#settings.queueType === 'classic' && priority !== undefined) options.priority = priority;
    return { body: Buffer.from(body), options };
  }

  #published(topic: string, result: Confirmed | Error, allowUnrouted: boolean): Published {
    if (result === 'stored' || (result === 'unrouted' && allowUnrouted)) return stored;
    if (result === 'unrouted') return refusal(new UnroutedError(topic));
    if (result === 'refused') {
      // Another group may have taken it
      const error = new QueueFullError(topic, 'any', this.#settings.maxMessages, 'Unknown');
      return { ok: false, outcome: 'Unknown', error };
    }
    const outcome = outcomeOf(result);
    // A user who may only write has no exchange to write to
    if (isNotFound(result) && outcome === 'NotExecuted') {
      return allowUnrouted ? stored : refusal(new UnroutedError(topic));
    }
    return { ok: false, outcome, error: result };
  }

  /** Stores a copy for this group alone: by the name of its queue, not by the exchange of the topic. */
  async #store(topic: string, group: string, message: Stored, next: Next): Promise<void> {
    const { queue, dead } = groupNames(this.#settings.prefix, topic, group);
    const { deliveries, failures } = next;
    const end = 'dead' in next ? { reason: next.dead, diedAt: Date.now() } : {};
    const { expiresAt, priority } = message;
    // Only what was never handed out expires
    const expiry = deliveries === 0 && Number.isFinite(expiresAt) && !('dead' in next) ? { expiresAt } : {};
    const counts = { deliveries, failures, ...end, ...expiry };
    const options = propertiesOf(message, counts);
    options.mandatory = true;
    if (priority !== undefined) options.priority = priority;
    const afterMs = 'dead' in next ? 0 : Math.min(next.afterMs, longestDelayMs);
    const target = { exchange: '', key: 'dead' in next ? dead : queue };
    const result = await this.#send(target, afterMs, { body: Buffer.from(message.body), options });
    if (result === 'unrouted') throw new GroupGoneError(topic, group);
    if (result === 'refused') throw new QueueFullError(topic, group, this.#settings.maxMessages);
  }

  async #send(target: Target, delayMs: number, sendable: Sendable): Promise<Confirmed> {
    if (delayMs <= 0) return this.#publishTo(target, sendable);
    // Also of a message that no group need receive: it is known that way that the queue is there
    Object.assign(sendable.options, { expiration: String(Math.ceil(delayMs)), mandatory: true });
    const key = await this.#topology.delayQueue(this.#publishing, target, delayMs);
    const result = await this.#publishTo({ exchange: '', key }, sendable);
    if (result !== 'unrouted') return result;
    // Somebody has deleted the queue, which says nothing of the target
    await this.#topology.delayQueue(this.#publishing, target, delayMs, { isGone: true });
    const again = await this.#publishTo({ exchange: '', key }, sendable);
    if (again !== 'unrouted') return again;
    throw new QueueUnavailableError(`RabbitMQ: queue "${key}" is deleted again and again`, 'NotExecuted');
  }

  async #publishTo({ exchange, key }: Target, sendable: Sendable): Promise<Confirmed> {
    const [result] = await this.#publisher.publish(exchange, key, [sendable]);
    if (result instanceof Error) throw result;
    return result!;
  }

  async #inGroup<R>(topic: string, group: string, work: () => Promise<R>): Promise<R> {
    try {
      return await work();
    } catch (error) {
      throw isNotFound(error) ? new GroupGoneError(topic, group, { cause: error }) : error;
    }
  }

  async #takeDead(
    topic: string,
    group: string,
    { ids, limit = Number.POSITIVE_INFINITY }: DeadLetterSelection,
    take: (letter: Stored) => Promise<void>,
  ): Promise<number> {
    const wanted = ids === undefined ? undefined : new Set(ids);
    let count = 0;
    await this.#walk(topic, group, async letter => {
      if (count >= limit || wanted?.size === 0) return 'stop';
      if (wanted !== undefined && !wanted.delete(letter.id)) return 'keep';
      await take(letter);
      count++;
      return 'take';
    });
    return count;
  }

  #walk(topic: string, group: string, visit: Parameters<typeof walk>[2]): Promise<void> {
    const { dead } = groupNames(this.#settings.prefix, topic, group);
    const walking = this.#walking.then(() =>
      this.#inGroup(topic, group, async () => walk(await this.#consuming.channel(), dead, visit)),
    );
    this.#walking = walking.catch(() => {});
    return walking;
  }
}
