import {
  type Clock,
  clock,
  functionOf,
  objectWith,
  type Random,
  type RulesFor,
  random,
  readOptions,
  refused,
  required,
  systemClock,
  text,
} from '@ashlar/core';
import type { BatchContext, HandlerContext, TransactionContext } from './consuming/context.ts';
import type { Handler } from './consuming/handlers.ts';
import {
  type BatchSubscribeOptions,
  checkCapabilities,
  type DrainOptions,
  readDrain,
  readSubscribe,
  type SubscribeOptions,
  type TransactionSubscribeOptions,
} from './consuming/options.ts';
import type { Subscription } from './consuming/subscription.ts';
import { Subscriptions } from './consuming/subscriptions.ts';
import type { Capabilities, Driver, GroupStats, Published } from './driver.ts';
import { QueueClosedError } from './errors.ts';
import { healthOf, type QueueHealth, type QueueSnapshot } from './health.ts';
import type { BeginIdempotencyOptions, PoolIdempotencyOptions } from './idempotency/options.ts';
import { isMessageTypes, type MessageTypes, type Typed } from './messages/messages.ts';
import { topicName } from './names.ts';
import { DeadLetterBox } from './operating/dead-letter-box.ts';
import { type FoundJob, Jobs } from './operating/jobs.ts';
import { checkPublish, type EveryPublishOption, type PublishOptions } from './publishing/options.ts';
import { type OptionsOf, Publisher, type PublishResult } from './publishing/publisher.ts';

export interface QueueOptions<In, Out = In> {
  /** Topics and their payloads: `messages<{ 'order.placed': { id: string } }>()`, or `messages({ topic: schema })`. */
  readonly messages: Typed<In, Out>;
  /** What snapshots, diagnostics and the `source` of messages call the queue. Default: `queue`. */
  readonly name?: string;
  /** Measures leases, pauses and time limits on this side. Default: the machine's. */
  readonly clock?: Clock;
  /** Default: `Math.random`. */
  readonly random?: Random;
}

const rules = {
  messages: required((value, option) => {
    if (value === undefined || isMessageTypes(value)) return value as object as Typed<never>;
    throw refused(option, 'made by `messages()`', value, 'write `messages: messages<{ topic: Payload }>()`');
  }, 'write `messages: messages<{ topic: Payload }>()`'),
  name: text('queue'),
  clock: clock(systemClock),
  random: random(),
} satisfies RulesFor<QueueOptions<never>>;

const driverAdvice = 'write `new Queue(memoryDriver(), { … })`, or `redisStreams({ redis })`';
const anyDriver = required(objectWith<Driver>(['declare', 'publish', 'consume'], driverAdvice), driverAdvice);
const anyHandler = required(functionOf<(...args: never[]) => unknown>(), 'the handler');

const given = (options: unknown): EveryPublishOption => {
  checkPublish(options as EveryPublishOption);
  return options as EveryPublishOption;
};
const eachItsOwn = 'write `publishMany(topic, payloads, payload => ({ id: … }))`';

/**
 * Typed messages over one driver: work that consumers of a group share, and events that each group receives. Delivery
 * is at least once: a message comes again until its handler has ended well, or it is dead. Code that takes a queue, over
 * whichever driver, names it `Queue<Messages>`.
 */
export class Queue<In, K extends Capabilities = Capabilities, Out = In> implements AsyncDisposable {
  readonly name: string;
  readonly #driver: Driver<K>;
  readonly #types: MessageTypes;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #publisher: Publisher;
  readonly #subscriptions = new Subscriptions();
  readonly #jobs: Jobs;
  #closing: Promise<void> | undefined;

  /**
   * @param driver belongs to this queue from now on: `close` closes it
   * @throws InvalidOptionError
   */
  constructor(driver: Driver<K>, options: QueueOptions<In, Out>) {
    this.#driver = anyDriver(driver, 'driver') as Driver<K>;
    const { messages, name, clock, random } = readOptions('Queue', options, rules);
    this.name = name;
    this.#types = messages as object as MessageTypes;
    this.#clock = clock;
    this.#random = random;
    this.#publisher = new Publisher(name, this.#driver, this.#types);
    this.#jobs = new Jobs(this.#driver);
  }

  /**
   * Resolves when the backend has confirmed the message.
   *
   * @throws PublishError, with the id to publish it again; UnroutedError; QueueFullError; InvalidPayloadError
   */
  async publish<T extends keyof In & string>(
    topic: T,
    payload: In[T],
    options?: PublishOptions<K>,
  ): Promise<PublishResult> {
    this.#checkOpen();
    return this.#publisher.publish(topic, payload, options as EveryPublishOption | undefined);
  }

  /**
   * Publishes the payloads in order, and reports on each. Rejects only for what is wrong with the call itself, and with
   * `tx` when they could not be written: then the transaction is over.
   *
   * @param options for all of them, or made for each, as an `id` is
   * @throws InvalidOptionError, InvalidPayloadError; then nothing was published
   */
  async publishMany<T extends keyof In & string>(
    topic: T,
    payloads: readonly In[T][],
    options:
      | PublishOptions<K>
      | ((payload: In[T], index: number) => PublishOptions<K>) = {} as PublishOptions<K>,
  ): Promise<readonly Published[]> {
    this.#checkOpen();
    if (typeof options === 'function') {
      return this.#publisher.publishMany(topic, payloads, options as OptionsOf);
    }
    const shared = given(options);
    // All but one would be dropped as repetitions
    if (shared.id !== undefined && payloads.length > 1)
      throw refused('id', 'another for each message', shared.id, eachItsOwn);
    return this.#publisher.publishMany(topic, payloads, shared);
  }

  /** Declares a group, so that messages are kept for it before its first subscription. Idempotent. */
  async declare<T extends keyof (In | Out) & string>(topic: T, group = 'default'): Promise<void> {
    this.#checkOpen();
    await this.#driver.declare(topicName(topic, 'topic'), topicName(group, 'group'));
  }

  /**
   * With `batch`, each call of the handler gets many messages. An Error in the array that it returns is a failure of its
   * message; when it throws, all have failed.
   *
   * @throws InvalidOptionError, UnsupportedError
   */
  subscribe<T extends keyof In & keyof Out & string>(
    topic: T,
    handler: (payloads: readonly Out[T][], context: BatchContext) => unknown,
    options: BatchSubscribeOptions<K>,
  ): Promise<Subscription>;
  /**
   * With `idempotency` of mode `transaction`: the handler gets a transaction as `context.tx`, and what it does with that
   * happens exactly once. With `begin`, name its type: `(payload, { tx }: TransactionContext<MyTransaction>) => …`.
   *
   * @throws InvalidOptionError, UnsupportedError
   */
  subscribe<T extends keyof In & keyof Out & string>(
    topic: T,
    handler: (payload: Out[T], context: TransactionContext) => unknown,
    options: TransactionSubscribeOptions<K, PoolIdempotencyOptions>,
  ): Promise<Subscription>;
  subscribe<T extends keyof In & keyof Out & string, Tx>(
    topic: T,
    handler: (payload: Out[T], context: TransactionContext<Tx>) => unknown,
    options: TransactionSubscribeOptions<K, BeginIdempotencyOptions<Tx>>,
  ): Promise<Subscription>;
  /**
   * Declares the group and hands its messages to the handler. A message is acknowledged when the handler has ended, tried
   * again later when it throws, and sent to the dead letters after `attempts`.
   *
   * @throws InvalidOptionError, UnsupportedError
   */
  subscribe<T extends keyof In & keyof Out & string>(
    topic: T,
    handler: (payload: Out[T], context: HandlerContext) => unknown,
    options?: SubscribeOptions<K>,
  ): Promise<Subscription>;
  async subscribe<T extends keyof In & keyof Out & string>(
    topic: T,
    handler: (payload: never, context: never) => unknown,
    options: object = {},
  ): Promise<Subscription> {
    this.#checkOpen();
    topicName(topic, 'topic');
    anyHandler(handler, 'handler');
    const settings = readSubscribe(options);
    checkCapabilities(settings, this.#driver.capabilities, this.#kind);
    await this.#driver.declare(topic, settings.group);
    this.#checkOpen();
    return this.#subscriptions.add({
      queue: this.name,
      driver: this.#driver,
      types: this.#types,
      topic,
      handler: handler as Handler,
      settings,
      clock: this.#clock,
      random: this.#random,
    });
  }

  /** What is known of one message of a group. @throws UnsupportedError where the driver keeps no jobs */
  async find(topic: keyof (In | Out) & string, id: string, group = 'default'): Promise<FoundJob | undefined> {
    this.#checkOpen();
    return this.#jobs.find(topic, id, group);
  }

  /**
   * Takes a message away from a group: whether there was one. When its handler runs, its signal aborts within a third of a
   * lease, and what it did stays done.
   *
   * @throws UnsupportedError where the driver keeps no jobs
   */
  async cancel(topic: keyof (In | Out) & string, id: string, group = 'default'): Promise<boolean> {
    this.#checkOpen();
    return this.#jobs.cancel(topic, id, group);
  }

  /** Stops handing out messages of a group, in every process, until `resume`. Handlers that run go on. */
  async pause(topic: keyof (In | Out) & string, group = 'default'): Promise<void> {
    this.#checkOpen();
    await this.#jobs.setPaused('pause', topic, group);
  }

  async resume(topic: keyof (In | Out) & string, group = 'default'): Promise<void> {
    this.#checkOpen();
    await this.#jobs.setPaused('resume', topic, group);
  }

  /** How many messages of a group wait, are held back, are in hands, and dead. */
  async stats(topic: keyof (In | Out) & string, group = 'default'): Promise<GroupStats> {
    this.#checkOpen();
    return this.#jobs.stats(topic, group);
  }

  /** The dead letters of a group. */
  dead(topic: keyof (In | Out) & string, group = 'default'): DeadLetterBox {
    return new DeadLetterBox(this.#driver, topicName(topic, 'topic'), topicName(group, 'group'));
  }

  /** Whether the subscriptions make progress: an open connection alone is not enough. */
  health(): QueueHealth {
    const subscriptions = this.#subscriptions.snapshots().map(healthOf);
    return { ok: this.#closing === undefined && subscriptions.every(({ ok }) => ok), subscriptions };
  }

  snapshot(): QueueSnapshot {
    return {
      name: this.name,
      driver: this.#kind,
      state: this.#closing === undefined ? 'open' : 'closed',
      subscriptions: this.#subscriptions.snapshots(),
    };
  }

  /**
   * Closes all subscriptions as their `close` does, then the driver. With `within` it does not wait for that handler, and the
   * driver closes when the handler has ended.
   *
   * @throws InvalidOptionError; then it is open still
   */
  async close(options: DrainOptions = {}): Promise<void> {
    readDrain(options);
    const closing = this.#subscriptions.close(options);
    this.#closing ??= this.#end();
    await closing;
    // Else a handler that closes runs still, and must not wait for what waits for it
    if (this.#subscriptions.areOver) await this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #end(): Promise<void> {
    const closed = this.#subscriptions.over().then(() => this.#driver[Symbol.asyncDispose]());
    closed.catch(() => {}); // Whoever waits for it is told
    return closed;
  }

  get #kind(): string {
    return this.#driver.kind ?? 'custom';
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new QueueClosedError(this.name);
  }
}
