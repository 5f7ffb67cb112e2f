import {
  durationMs,
  integer,
  objectWith,
  type Rule,
  type RulesFor,
  readOptions,
  refused,
  required,
} from '@ashlar/core';
import type { DeadLetter, DeadLetterPage, DeadLetterSelection } from '../dead-letters.ts';
import {
  type Capabilities,
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
import { InvalidPayloadError, QueueFullError, QueueUnavailableError, UnroutedError } from '../errors.ts';
import { codes, confirmed, JetStreamError, NatsLink } from './nats/connection.ts';
import { consume } from './nats/consuming/consumer.ts';
import { ServerClock } from './nats/consuming/server-clock.ts';
import { DeadStream } from './nats/dead-stream.ts';
import { groupNames, topicNames } from './nats/names.ts';
import { own, type Route, Streams } from './nats/streams.ts';
import { headerBytes, headersOf, reservedBytes } from './nats/wire.ts';

/** What `connect` of `@nats-io/transport-node` takes: its `ConnectionOptions`. */
export interface NatsConnectionOptions {
  readonly servers?: string | readonly string[] | undefined;
  readonly user?: string | undefined;
  readonly pass?: string | undefined;
  readonly token?: string | undefined;
  readonly name?: string | undefined;
  readonly tls?: object | null | undefined;
  readonly authenticator?: unknown;
  readonly [option: string]: unknown;
}

export interface NatsOptions {
  /** For the driver's own connection, such as `{ servers: 'nats://localhost:4222' }`. It reconnects for ever. */
  readonly connection: NatsConnectionOptions;
  /** Begins the names of all streams and subjects: letters, digits and `-`. Default: `ashlar-queue`. */
  readonly prefix?: string;
  /** Milliseconds that a message stays with a consumer that does not extend it. Default: 7 500. */
  readonly leaseMs?: number;
  /** Milliseconds for a call, the wait for a connection included. Default: 5 000. */
  readonly timeoutMs?: number;
  /** Milliseconds within which a message published again with the same id is one message. Default: 120 000. */
  readonly deduplicationMs?: number;
  /** The most messages that a topic may hold; more are refused with QueueFullError. Default: 1 000 000. */
  readonly maxMessages?: number;
  /** The most dead letters that a group keeps; the oldest go first. Default: 10 000. */
  readonly maxDead?: number;
  /** On how many servers of a cluster each stream is kept. Default: 1. */
  readonly replicas?: number;
  /** The domain of JetStream, when the servers have one. Default: none. */
  readonly domain?: string | undefined;
}

/** What the NATS driver can do. */
export interface NatsCapabilities extends Capabilities {
  readonly delay: true;
  readonly priority: false;
  readonly fanout: true;
  readonly durable: true;
  readonly orderedKeys: false;
  readonly deadLetters: true;
  readonly crashCount: true;
  readonly uniqueIds: true;
  readonly expiry: true;
}

const capabilities: NatsCapabilities = {
  delay: true,
  priority: false,
  fanout: true,
  durable: true,
  orderedKeys: false,
  deadLetters: true,
  crashCount: true,
  uniqueIds: true,
  expiry: true,
};

const prefixRule: Rule<string> = (value, option) => {
  if (value === undefined) return 'ashlar-queue';
  if (typeof value === 'string' && /^[A-Za-z0-9-]{1,64}$/.test(value)) return value;
  throw refused(option, 'of 1 to 64 letters, digits and `-`', value);
};

const domainRule: Rule<string | undefined> = (value, option) => {
  if (value === undefined || (typeof value === 'string' && /^[^\s.*>]+$/.test(value))) return value;
  throw refused(option, 'the name of a domain', value);
};

/** A hundred years: JetStream has nanoseconds of 64 bits. */
const maxMs = 3_155_760_000_000;

const rules = {
  connection: required(
    objectWith<NatsConnectionOptions>([]),
    "write `nats({ connection: { servers: 'nats://localhost:4222' } })`",
  ),
  prefix: prefixRule,
  leaseMs: durationMs(7_500, { above: 0, max: maxMs }),
  timeoutMs: durationMs(5_000, { above: 0, max: 2 ** 30 }),
  deduplicationMs: durationMs(120_000, { above: 0, max: maxMs }),
  maxMessages: integer(1_000_000, { min: 1 }),
  maxDead: integer(10_000, { min: 0 }),
  replicas: integer(1, { min: 1 }),
  domain: domainRule,
} satisfies RulesFor<NatsOptions>;

type Settings = Required<Omit<NatsOptions, 'domain'>> & { readonly domain: string | undefined };

/** How long it is taken as known that a topic has a group, and what its stream can do. */
const routedMs = 5_000;

/**
 * Messages in streams of NATS JetStream 2.9 or later: a stream for each topic, which keeps a message until each group has
 * acknowledged it, and two for each group. What was confirmed outlives processes and a crash of the server's process; a
 * power failure takes what the server has not yet synced, for up to two minutes unless its `sync_interval` says less.
 *
 * @throws InvalidOptionError
 */
export function nats(options: NatsOptions): Driver<NatsCapabilities> {
  return new NatsDriver(readOptions('nats', options, rules));
}

class NatsDriver implements Driver<NatsCapabilities> {
  readonly kind = 'nats';
  readonly capabilities: NatsCapabilities = capabilities;
  readonly leaseMs: number;
  readonly #settings: Settings;
  readonly #link: NatsLink;
  readonly #streams: Streams;
  readonly #dead: DeadStream;
  readonly #clock: ServerClock;
  readonly #routes = new Map<string, Route & { readonly askedAt: number }>();

  constructor(settings: Settings) {
    this.#settings = settings;
    this.leaseMs = settings.leaseMs;
    this.#link = new NatsLink(settings);
    this.#streams = new Streams(this.#link, settings);
    this.#clock = new ServerClock(this.#streams);
    this.#dead = new DeadStream(this.#link, this.#streams, settings.prefix);
  }

  async declare(topic: string, group: string): Promise<void> {
    await this.#typed(this.#streams.declare(topic, group));
  }

  async publish(
    topic: string,
    batch: readonly OutgoingMessage[],
    { allowUnrouted = false }: PublishSettings = {},
  ): Promise<readonly Published[]> {
    let route: Route;
    try {
      route = await this.#route(topic);
    } catch (error) {
      return batch.map(() => refusal(error as Error));
    }
    if (route.groups === 0) {
      return batch.map(() => (allowUnrouted ? { ok: true } : refusal(new UnroutedError(topic))));
    }
    return Promise.all(batch.map(message => this.#publish(topic, message, route)));
  }

  consume(topic: string, group: string, options: ConsumeOptions): AsyncIterable<Delivery> {
    const { prefix, leaseMs, maxDead } = this.#settings;
    return consume(
      {
        topic,
        group,
        topicNames: topicNames(prefix, topic),
        names: groupNames(prefix, topic, group),
        link: this.#link,
        streams: this.#streams,
        clock: this.#clock,
        leaseMs,
        maxDead,
      },
      options,
    );
  }

  inspect(topic: string, group: string, page: DeadLetterPage): Promise<readonly DeadLetter[]> {
    return this.#typed(this.#dead.inspect(topic, group, page));
  }

  redrive(topic: string, group: string, selection: DeadLetterSelection): Promise<number> {
    return this.#typed(this.#dead.redrive(topic, group, selection));
  }

  purge(topic: string, group: string, selection: DeadLetterSelection): Promise<number> {
    return this.#typed(this.#dead.purge(topic, group, selection));
  }

  /** Messages that were published with a delay count as waiting until a consumer has seen them. */
  async stats(topic: string, group: string): Promise<GroupStats> {
    const { again, deadStream } = groupNames(this.#settings.prefix, topic, group);
    const of = (name: string) => this.#streams.consumerOf(topic, group, again, name);
    const all = [
      this.#streams.consumer(topic, group),
      of(own.ready),
      of(own.later),
      this.#streams.info(deadStream),
    ] as const;
    const [fresh, ready, later, dead] = await this.#typed(Promise.all(all));
    return {
      waiting: fresh.num_pending + ready.num_pending,
      delayed: later.num_pending + later.num_ack_pending,
      active: fresh.num_ack_pending + ready.num_ack_pending,
      dead: dead?.state.messages ?? 0,
    };
  }

  pause(topic: string, group: string): Promise<void> {
    return this.#typed(this.#streams.setPaused(topic, group, true));
  }

  resume(topic: string, group: string): Promise<void> {
    return this.#typed(this.#streams.setPaused(topic, group, false));
  }

  async probe(topic: string, group: string): Promise<void> {
    await this.#typed(this.#streams.consumer(topic, group));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#link.close();
  }

  async #route(topic: string): Promise<Route> {
    const askedAt = performance.now();
    const known = this.#routes.get(topic);
    if (known !== undefined && askedAt < known.askedAt + routedMs) return known;
    const route = await this.#typed(this.#streams.route(topic));
    if (route.groups > 0) this.#routes.set(topic, { ...route, askedAt });
    return route;
  }

  async #publish(topic: string, message: OutgoingMessage, { removesExpired }: Route): Promise<Published> {
    const { prefix, maxMessages } = this.#settings;
    try {
      const headers = headersOf(message, removesExpired);
      const limit = (await this.#link.open()).info?.max_payload ?? Infinity;
      const bytes = message.body.byteLength + headerBytes(headers);
      if (bytes + reservedBytes > limit) {
        const words = `it has ${bytes} bytes with its headers, and the server takes ${limit} less ${reservedBytes}`;
        return refusal(new InvalidPayloadError(topic, [words]));
      }
      const { subject } = topicNames(prefix, topic);
      const { isDuplicate } = confirmed(await this.#link.request(subject, message.body, headers));
      return isDuplicate ? { ok: true, isDuplicate } : { ok: true };
    } catch (error) {
      if (!(error instanceof JetStreamError)) {
        // The stream may have been deleted
        this.#routes.delete(topic);
        return { ok: false, outcome: outcomeOf(error), error: error as Error };
      }
      const isFull = error.number === codes.full && /maximum messages/.test(error.message);
      if (isFull) return refusal(new QueueFullError(topic, 'any', maxMessages));
      // Or made by other means, without what was known of it
      this.#routes.delete(topic);
      return refusal(this.#refused(error));
    }
  }

  /** What JetStream refuses is an error of ours. */
  async #typed<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof JetStreamError)) throw error;
      throw this.#refused(error);
    }
  }

  #refused(error: JetStreamError): Error {
    return new QueueUnavailableError(`JetStream refused: ${error.message}`, 'NotExecuted', { cause: error });
  }
}
