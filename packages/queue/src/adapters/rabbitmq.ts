import { InvalidOptionError, refused } from '@ashlar/core';
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
import { consume } from './rabbitmq/consuming/consumer.ts';
import type { Next } from './rabbitmq/consuming/held.ts';
import { page, selected, type Visit, walk } from './rabbitmq/dead-queue.ts';
import { guarded, Link } from './rabbitmq/link.ts';
import { groupNames } from './rabbitmq/names.ts';
import {
  capabilitiesOf,
  checkServer,
  type QueueType,
  type RabbitmqCapabilities,
  type RabbitmqOptions,
  readSettings,
  type Settings,
} from './rabbitmq/options.ts';
import { copyBytes, invalid, maxReasonLength, Oversized } from './rabbitmq/oversized.ts';
import { type Confirmed, Publisher, type Sendable } from './rabbitmq/publisher.ts';
import { isNotFound, typed } from './rabbitmq/refusals.ts';
import { type Target, Topology } from './rabbitmq/topology.ts';
import { priorityOf, propertiesOf, type Stored } from './rabbitmq/wire.ts';

export type { QueueType, RabbitmqCapabilities, RabbitmqOptions } from './rabbitmq/options.ts';

/** The longest time that RabbitMQ lets a message wait: ten years. */
const longestDelayMs = 315_360_000_000;
/** Milliseconds until a copy is offered again to a group that is full. */
const fullAgainMs = 100;

const stored: Published = { ok: true };

/**
 * Messages in RabbitMQ 3.10 or later: an exchange for each topic, a queue for each group, publisher confirms and manual
 * acknowledgements. A delivery stays with its consumer as long as its connection.
 *
 * @throws InvalidOptionError
 */
export function rabbitmq<T extends QueueType = 'quorum', P extends boolean = false>(
  options: RabbitmqOptions<T, P>,
): Driver<RabbitmqCapabilities<T, P>> {
  const settings = readSettings(options);
  return new RabbitmqDriver<T, P>(settings);
}

class RabbitmqDriver<T extends QueueType, P extends boolean> implements Driver<RabbitmqCapabilities<T, P>> {
  readonly kind = 'rabbitmq';
  readonly capabilities: RabbitmqCapabilities<T, P>;
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
    this.capabilities = capabilitiesOf(settings);
    this.#topology = new Topology(settings);
    const { url, socket = {}, heartbeatMs, timeoutMs } = settings;
    const prepare = async (model: ChannelModel) => {
      checkServer(model.connection.serverProperties.version, settings);
      await this.#topology.declareAgain(async () => guarded(await model.createChannel()));
    };
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
    const channel = (isAlone: boolean) =>
      (isAlone ? this.#consuming.apart(queue) : this.#consuming).channel();
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
    const { letters, visit } = page(topic, group, limit, after);
    await this.#walk(topic, group, 'NotExecuted', visit);
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
    const ranked = priorityOf(priority, this.#settings.queueType);
    if (ranked !== undefined && this.capabilities.priority) options.priority = ranked;
    return { body: Buffer.from(body), options, reserved: copyBytes };
  }

  #published(topic: string, result: Confirmed | Error, allowUnrouted: boolean): Published {
    if (result === 'stored' || (result === 'unrouted' && allowUnrouted)) return stored;
    if (result === 'unrouted') return refusal(new UnroutedError(topic));
    if (result === 'refused') {
      // Another group may have taken it
      const error = new QueueFullError(topic, 'any', this.#settings.maxMessages, 'Unknown');
      return { ok: false, outcome: 'Unknown', error };
    }
    if (result instanceof Oversized) return refusal(invalid(topic, result));
    // What refuses a server, or its address, has sent it nothing
    const outcome = result instanceof InvalidOptionError ? 'NotExecuted' : outcomeOf(result);
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
    const end = 'dead' in next ? { reason: next.dead.slice(0, maxReasonLength), diedAt: Date.now() } : {};
    const { expiresAt, priority } = message;
    // Only what was never handed out expires
    const expiry = deliveries === 0 && Number.isFinite(expiresAt) && !('dead' in next) ? { expiresAt } : {};
    const counts = { deliveries, failures, ...end, ...expiry };
    const options = propertiesOf(message, counts);
    options.mandatory = true;
    if (priority !== undefined) options.priority = priority;
    const afterMs = 'dead' in next ? 0 : Math.min(next.afterMs, longestDelayMs);
    const target = { exchange: '', key: 'dead' in next ? dead : queue };
    const copy = { body: Buffer.from(message.body), options, reserved: 0 };
    try {
      let result = await this.#send(target, afterMs, copy);
      // It was in the group before, and its place in hands is what makes room: it is never refused for want of it
      if (result === 'refused') result = await this.#send(target, fullAgainMs, copy);
      if (result === 'unrouted') throw new GroupGoneError(topic, group);
      if (result === 'refused') throw new QueueFullError(topic, group, this.#settings.maxMessages);
    } catch (error) {
      throw error instanceof Oversized ? invalid(topic, error) : error;
    }
  }

  async #send(target: Target, delayMs: number, sendable: Sendable): Promise<Confirmed> {
    if (delayMs <= 0) return this.#sendNow(target, sendable);
    // Also of a message that no group need receive: it is known that way that the queue is there
    Object.assign(sendable.options, { expiration: String(Math.ceil(delayMs)), mandatory: true });
    let queue = '';
    for (let attempt = 0; attempt < 2; attempt++) {
      queue = await this.#topology.delayQueue(this.#publishing, target, delayMs);
      const result = await this.#sendNow({ exchange: '', key: queue }, sendable);
      if (result !== 'unrouted') return result;
      this.#topology.forget(queue); // Somebody has deleted it, which says nothing of the target
    }
    throw new QueueUnavailableError(`RabbitMQ: queue "${queue}" is deleted again and again`, 'NotExecuted');
  }

  async #sendNow({ exchange, key }: Target, sendable: Sendable): Promise<Confirmed> {
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
    selection: DeadLetterSelection,
    take: (letter: Stored) => Promise<void>,
  ): Promise<number> {
    let count = 0;
    const counted = async (letter: Stored) => {
      await take(letter);
      count++;
    };
    await this.#walk(topic, group, 'Unknown', selected(selection, counted));
    return count;
  }

  #walk(topic: string, group: string, outcome: 'NotExecuted' | 'Unknown', visit: Visit): Promise<void> {
    const { prefix, timeoutMs } = this.#settings;
    const { dead } = groupNames(prefix, topic, group);
    const walking = this.#walking.then(() =>
      this.#inGroup(topic, group, async () => {
        const channel = await this.#consuming.channel();
        await walk(channel, dead, timeoutMs, visit).catch(error => Promise.reject(typed(error, outcome)));
      }),
    );
    this.#walking = walking.catch(() => {});
    return walking;
  }
}
