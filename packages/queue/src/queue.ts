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
import type { BatchContext, HandlerContext } from './consuming/context.ts';
import type { Handler } from './consuming/handlers.ts';
import {
  type BatchSubscribeOptions,
  checkCapabilities,
  type DrainOptions,
  readSubscribe,
  type SubscribeOptions,
} from './consuming/options.ts';
import { Subscription, type SubscriptionSnapshot } from './consuming/subscription.ts';
import { DeadLetterBox } from './dead-letter-box.ts';
import type { Capabilities, Driver, GroupStats, Job, Published } from './driver.ts';
import { decode } from './envelope.ts';
import { QueueClosedError, UnsupportedError } from './errors.ts';
import { MessageTypes, type Typed } from './messages.ts';
import { idText, topicName } from './names.ts';
import type { EveryPublishOption, PublishOptions } from './publishing/options.ts';
import { Publisher, type PublishResult } from './publishing/publisher.ts';

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

/** What is known of one message of a group. */
export interface FoundJob extends Omit<Job, 'progress' | 'result'> {
  readonly id: string;
  /** What its handler last passed to `context.progress`. */
  readonly progress: unknown;
  /** What its handler returned, with the option `results`. */
  readonly result: unknown;
}

export interface SubscriptionHealth {
  readonly topic: string;
  readonly group: string;
  readonly ok: boolean;
  /** Why not. */
  readonly reason: string | undefined;
}

export interface QueueHealth {
  /** Whether every subscription makes progress, or would if there were messages. */
  readonly ok: boolean;
  readonly subscriptions: readonly SubscriptionHealth[];
}

export interface QueueSnapshot {
  readonly name: string;
  readonly driver: string;
  readonly state: 'open' | 'closed';
  readonly subscriptions: readonly SubscriptionSnapshot[];
}

const rules = {
  messages: required((value, option) => {
    if (value === undefined || value instanceof MessageTypes) return value as object as Typed<never>;
    throw refused(option, 'made by `messages()`', value, 'write `messages: messages<{ topic: Payload }>()`');
  }, 'write `messages: messages<{ topic: Payload }>()`'),
  name: text('queue'),
  clock: clock(systemClock),
  random: random(),
} satisfies RulesFor<QueueOptions<never>>;

const anyDriver = required(
  objectWith<Driver>(['declare', 'publish', 'consume'], 'write `new Queue(memoryDriver(), { … })`'),
  'write `new Queue(memoryDriver(), { … })`',
);
const anyHandler = required(functionOf<(...args: never[]) => unknown>(), 'the handler');

const requiredId = required(idText);

/** Milliseconds without an answer of the backend after which a subscription is no longer healthy. */
const maxSilenceMs = 15_000;

/**
 * Typed messages over one driver: work that consumers of a group share, and events that each group receives. Delivery
 * is at least once: a message comes again until its handler has ended well, or it is dead.
 */
export class Queue<In, K extends Capabilities, Out = In> implements AsyncDisposable {
  readonly name: string;
  readonly #driver: Driver<K>;
  readonly #types: MessageTypes;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #publisher: Publisher;
  readonly #subscriptions = new Set<Subscription>();
  #closing: Promise<void> | undefined;

  /**
   * @param driver belongs to this queue from now on: `close` closes it
   * @throws InvalidOptionError
   */
  constructor(driver: Driver<K>, options: QueueOptions<In, Out>) {
    const { messages, name, clock, random } = readOptions('Queue', options, rules);
    this.name = name;
    this.#driver = anyDriver(driver, 'driver') as Driver<K>;
    this.#types = messages as object as MessageTypes;
    this.#clock = clock;
    this.#random = random;
    this.#publisher = new Publisher(name, this.#driver, this.#types);
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
   * Publishes the payloads in order, and reports on each. Rejects only for what is wrong with the call itself.
   *
   * @param options for all of them, or made for each
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
    const optionsOf = typeof options === 'function' ? options : () => options;
    const { allowUnrouted } = typeof options === 'function' ? {} : (options as EveryPublishOption);
    return this.#publisher.publishMany(
      topic,
      payloads,
      optionsOf as (payload: unknown, index: number) => EveryPublishOption,
      allowUnrouted,
    );
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
    options: SubscribeOptions<K> = {} as SubscribeOptions<K>,
  ): Promise<Subscription> {
    this.#checkOpen();
    topicName(topic, 'topic');
    anyHandler(handler, 'handler');
    const settings = readSubscribe(options);
    checkCapabilities(settings, this.#driver.capabilities, this.#kind);
    await this.#driver.declare(topic, settings.group);
    this.#checkOpen();
    const subscription = new Subscription({
      queue: this.name,
      driver: this.#driver,
      types: this.#types,
      topic,
      handler: handler as Handler,
      settings,
      clock: this.#clock,
      random: this.#random,
      closed: ended => this.#subscriptions.delete(ended),
    });
    this.#subscriptions.add(subscription);
    return subscription;
  }

  /** What is known of one message of a group. @throws UnsupportedError where the driver keeps no jobs */
  async find(topic: keyof (In | Out) & string, id: string, group = 'default'): Promise<FoundJob | undefined> {
    const find = this.#able('find', 'a record of jobs');
    const job = await find(topicName(topic, 'topic'), topicName(group, 'group'), requiredId(id, 'id'));
    if (job === undefined) return undefined;
    const read = (bytes: Uint8Array | undefined) => bytes && decode(topic, bytes, {});
    return { ...job, id, progress: read(job.progress), result: read(job.result) };
  }

  /**
   * Takes a message away from a group: whether there was one. When its handler runs, its signal aborts within a third of a
   * lease, and what it did stays done.
   *
   * @throws UnsupportedError where the driver keeps no jobs
   */
  async cancel(topic: keyof (In | Out) & string, id: string, group = 'default'): Promise<boolean> {
    const cancel = this.#able('cancel', 'a record of jobs');
    return cancel(topicName(topic, 'topic'), topicName(group, 'group'), requiredId(id, 'id'));
  }

  /** Stops handing out messages of a group, in every process, until `resume`. Handlers that run go on. */
  async pause(topic: keyof (In | Out) & string, group = 'default'): Promise<void> {
    await this.#able('pause', 'a pause')(topicName(topic, 'topic'), topicName(group, 'group'));
  }

  async resume(topic: keyof (In | Out) & string, group = 'default'): Promise<void> {
    await this.#able('resume', 'a pause')(topicName(topic, 'topic'), topicName(group, 'group'));
  }

  /** How many messages of a group wait, are held back, are in hands, and dead. */
  async stats(topic: keyof (In | Out) & string, group = 'default'): Promise<GroupStats> {
    return this.#able('stats', 'counts')(topicName(topic, 'topic'), topicName(group, 'group'));
  }

  /** The dead letters of a group. */
  dead(topic: keyof (In | Out) & string, group = 'default'): DeadLetterBox {
    return new DeadLetterBox(this.#driver, topicName(topic, 'topic'), topicName(group, 'group'));
  }

  /** Whether the subscriptions make progress: an open connection alone is not enough. */
  health(): QueueHealth {
    const subscriptions = [...this.#subscriptions].map(subscription => healthOf(subscription.snapshot()));
    return { ok: this.#closing === undefined && subscriptions.every(({ ok }) => ok), subscriptions };
  }

  snapshot(): QueueSnapshot {
    return {
      name: this.name,
      driver: this.#kind,
      state: this.#closing === undefined ? 'open' : 'closed',
      subscriptions: [...this.#subscriptions].map(subscription => subscription.snapshot()),
    };
  }

  /** Closes all subscriptions as their `close` does, then the driver. */
  close(options: DrainOptions = {}): Promise<void> {
    this.#closing ??= (async () => {
      await Promise.all([...this.#subscriptions].map(subscription => subscription.close(options)));
      await this.#driver[Symbol.asyncDispose]();
    })();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #able<M extends 'find' | 'cancel' | 'pause' | 'resume' | 'stats'>(
    method: M,
    needs: string,
  ): NonNullable<Driver[M]> {
    this.#checkOpen();
    const found = this.#driver[method];
    if (found === undefined) throw new UnsupportedError(method, this.#kind, needs);
    return found.bind(this.#driver) as NonNullable<Driver[M]>;
  }

  get #kind(): string {
    return this.#driver.kind ?? 'custom';
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new QueueClosedError(this.name);
  }
}

function healthOf({ topic, group, state, silentMs, error }: SubscriptionSnapshot): SubscriptionHealth {
  const isSilent = silentMs !== undefined && silentMs > maxSilenceMs;
  const silence = isSilent ? `the backend has not answered for ${Math.round(silentMs)} ms` : undefined;
  const reason = state === 'failing' ? error : silence;
  return { topic, group, ok: reason === undefined, reason };
}
