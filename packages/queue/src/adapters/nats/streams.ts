import { GroupGoneError, UnsupportedError } from '../../errors.ts';
import { codes, JetStreamError, type NatsLink } from './connection.ts';
import { groupNames, topicNames } from './names.ts';

export interface StreamSettings {
  readonly prefix: string;
  readonly leaseMs: number;
  readonly deduplicationMs: number;
  readonly maxMessages: number;
  readonly maxDead: number;
  readonly replicas: number;
}

interface StreamInfo {
  readonly config: Readonly<Record<string, unknown>>;
  readonly state: { readonly messages: number; readonly consumer_count: number };
}

/** What publishers of a topic go by. */
export interface Route {
  readonly groups: number;
  /** The server removes messages of the stream whose time is over: one of NATS 2.11 or later does. */
  readonly removesExpired: boolean;
}

export interface ConsumerInfo {
  /** Not yet handed out. */
  readonly num_pending: number;
  /** Handed out and not settled. */
  readonly num_ack_pending: number;
  readonly config: { readonly metadata?: Readonly<Record<string, string>> };
  /** When the server says this; from NATS 2.10 on. */
  readonly ts?: string;
  /** When it has handed out a message last, if it has since the server leads it. */
  readonly delivered: { readonly last_active?: string };
}

/** Durable names of the two consumers of a group's own stream. */
export const own = { ready: 'ready', later: 'later' } as const;

/** What the server that has a consumer says of itself: from NATS 2.11 on, the level of its API, which is 1 there. */
const apiLevel = '_nats.level';
/** A consumer is paused until a time. */
const forever = '2200-01-01T00:00:00Z';

/** Streams and consumers of JetStream: made, and asked for. */
export class Streams {
  readonly #link: NatsLink;
  readonly #settings: StreamSettings;

  constructor(link: NatsLink, settings: StreamSettings) {
    this.#link = link;
    this.#settings = settings;
  }

  /** The consumer of the topic is the last, so that nothing is kept for a group that is not whole. */
  async declare(topic: string, group: string): Promise<void> {
    const { prefix, leaseMs, deduplicationMs, maxMessages, maxDead } = this.#settings;
    const { stream, subject } = topicNames(prefix, topic);
    const names = groupNames(prefix, topic, group);
    const window = { duplicate_window: nanoseconds(deduplicationMs) };
    const refusing = { discard: 'new', max_msgs: maxMessages };
    // An older server leaves out what it does not know
    const expiring = { allow_msg_ttl: true };
    await this.#stream(stream, {
      ...window,
      ...refusing,
      ...expiring,
      subjects: [subject],
      retention: 'interest',
    });
    const mine = [names.ready, names.later];
    const lease = { ack_wait: nanoseconds(leaseMs) };
    await this.#stream(names.again, { ...window, subjects: mine, retention: 'workqueue' });
    const dead = { discard: 'old', max_msgs: maxDead === 0 ? 1 : maxDead };
    await this.#stream(names.deadStream, { ...dead, subjects: [`${names.dead}.>`], retention: 'limits' });
    await this.#consumer(names.again, own.ready, { filter_subject: names.ready, ...lease });
    await this.#consumer(names.again, own.later, { filter_subject: names.later, ...lease });
    await this.#consumer(stream, names.consumer, { deliver_policy: 'new', ...lease });
  }

  async route(topic: string): Promise<Route> {
    const info = await this.info(topicNames(this.#settings.prefix, topic).stream);
    return {
      groups: info?.state.consumer_count ?? 0,
      removesExpired: info?.config['allow_msg_ttl'] === true,
    };
  }

  /** @throws UnsupportedError before NATS 2.11, GroupGoneError */
  async setPaused(topic: string, group: string, isPaused: boolean): Promise<void> {
    const { prefix } = this.#settings;
    const { again, consumer } = groupNames(prefix, topic, group);
    const until = isPaused ? { pause_until: forever } : {};
    for (const [stream, name] of [
      [topicNames(prefix, topic).stream, consumer],
      [again, own.ready],
    ] as const) {
      const { config } = await this.consumerOf(topic, group, stream, name);
      // It would not answer
      if (config.metadata?.[apiLevel] === undefined) {
        throw new UnsupportedError(isPaused ? 'pause' : 'resume', 'nats', 'a server of NATS 2.11 or later');
      }
      await this.#link.api(`CONSUMER.PAUSE.${stream}.${name}`, until);
    }
  }

  async info(stream: string): Promise<StreamInfo | undefined> {
    return this.#unless(codes.noStream, this.#link.api<StreamInfo>(`STREAM.INFO.${stream}`));
  }

  /** @throws GroupGoneError */
  async consumer(topic: string, group: string): Promise<ConsumerInfo> {
    const { prefix } = this.#settings;
    const { stream } = topicNames(prefix, topic);
    return this.consumerOf(topic, group, stream, groupNames(prefix, topic, group).consumer);
  }

  async consumerOf(topic: string, group: string, stream: string, name: string): Promise<ConsumerInfo> {
    try {
      return await this.#link.api<ConsumerInfo>(`CONSUMER.INFO.${stream}.${name}`);
    } catch (error) {
      const isGone =
        error instanceof JetStreamError &&
        (error.number === codes.noConsumer || error.number === codes.noStream);
      throw isGone ? new GroupGoneError(topic, group, { cause: error }) : error;
    }
  }

  /** The time that the server says with a consumer, in milliseconds since the epoch; undefined when it says none. */
  async timeAt(stream: string, consumer: string): Promise<number | undefined> {
    const { ts, delivered } = await this.#link.api<ConsumerInfo>(`CONSUMER.INFO.${stream}.${consumer}`);
    const said = ts ?? delivered.last_active;
    return said === undefined ? undefined : Date.parse(said);
  }

  /**
   * What is there and right is left alone: in a cluster, a stream that is made again as it is may be lost with a server
   * that was away (nats-server#8449), and an update may take what waits for its time (nats-server#5526).
   */
  async #stream(name: string, config: object): Promise<void> {
    const whole = { name, storage: 'file', num_replicas: this.#settings.replicas, ...config };
    const there = await this.info(name);
    if (there !== undefined && has(there.config, whole)) return;
    const made =
      there === undefined &&
      (await this.#unless(codes.streamExists, this.#link.api(`STREAM.CREATE.${name}`, whole)));
    if (!made) await this.#link.api(`STREAM.UPDATE.${name}`, whole);
  }

  async #consumer(stream: string, name: string, config: object): Promise<void> {
    const whole = {
      durable_name: name,
      deliver_policy: 'all',
      ack_policy: 'explicit',
      max_deliver: -1,
      max_ack_pending: -1,
      max_waiting: 10_000,
      ...config,
    };
    await this.#link.api(`CONSUMER.DURABLE.CREATE.${stream}.${name}`, { stream_name: stream, config: whole });
  }

  async #unless<T>(number: number, work: Promise<T>): Promise<T | undefined> {
    try {
      return await work;
    } catch (error) {
      if (error instanceof JetStreamError && error.number === number) return undefined;
      throw error;
    }
  }
}

/** What the server does not know it does not say. */
function has(found: StreamInfo['config'], wanted: object): boolean {
  return Object.entries(wanted).every(
    ([name, value]) => found[name] === undefined || JSON.stringify(found[name]) === JSON.stringify(value),
  );
}

/** Whole ones: JetStream takes no fraction. */
function nanoseconds(ms: number): number {
  return Math.max(1, Math.round(ms * 1e6));
}
