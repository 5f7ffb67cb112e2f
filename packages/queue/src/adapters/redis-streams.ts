import { boolean, durationMs, integer, type RulesFor, readOptions } from '@ashlar/core';
import {
  type Client,
  Commands,
  clientLike,
  Link,
  type RedisLike,
  redisClient,
} from '@ashlar/store/redis-connection';
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
} from '../driver.ts';
import { GroupGoneError, QueueClosedError, QueueFullError, UnroutedError } from '../errors.ts';
import { redisErrors } from './redis-errors.ts';
import { RedisSafety } from './redis-safety.ts';
import { consume } from './redis-streams/consumer.ts';
import { keysOf, prefixRule, type TopicKeys } from './redis-streams/keys.ts';
import {
  declareScript,
  inspectScript,
  publishScript,
  statsScript,
  takeDeadScript,
} from './redis-streams/scripts.ts';
import { deadLetter, outgoing, type RawFields } from './redis-streams/wire.ts';

export type { RedisLike } from '@ashlar/store/redis-connection';

export interface RedisStreamsOptions {
  /**
   * A client of ioredis: `Redis`, also through Sentinel, or `Cluster`. It stays unused: the driver opens connections of
   * its own with the same settings, one, and one more for each subscription.
   */
  readonly redis: RedisLike;
  /** The beginning of all keys, in braces together with the topic. Default: `ashlar-queue`. */
  readonly prefix?: string;
  /** Milliseconds that a message stays with a consumer that does not extend it; another has it a quarter later at the latest. Default: 7 500. */
  readonly leaseMs?: number;
  /** Milliseconds for a command, the wait for a connection included. Default: 5 000. */
  readonly timeoutMs?: number;
  /** The most messages of a topic that some group has not handled, give or take a few hundred. Default: 1 000 000. */
  readonly maxMessages?: number;
  /** The most dead letters that a group keeps; the oldest go first. Default: 10 000. */
  readonly maxDead?: number;
  /** Milliseconds, at least, within which a message published again with the same id is one message. Default: 60 000. */
  readonly deduplicationMs?: number;
  /** Accept a Redis whose `maxmemory-policy` is not `noeviction`, which may drop messages. Default: false. */
  readonly allowEviction?: boolean;
}

/** What the driver over Redis Streams can do. */
export interface RedisStreamsCapabilities extends Capabilities {
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

const capabilities: RedisStreamsCapabilities = {
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

const rules = {
  redis: redisClient,
  prefix: prefixRule,
  leaseMs: durationMs(7_500, { min: 100 }),
  timeoutMs: durationMs(5_000, { above: 0, max: 2 ** 30 }),
  maxMessages: integer(1_000_000, { min: 1 }),
  maxDead: integer(10_000, { min: 0 }),
  deduplicationMs: durationMs(60_000, { min: 1_000 }),
  allowEviction: boolean(false),
} satisfies RulesFor<RedisStreamsOptions>;

type Settings = { readonly [Name in keyof RedisStreamsOptions]-?: NonNullable<RedisStreamsOptions[Name]> };

/** What one script publishes, so that it does not hold up the server. */
const batchMessages = 200;
const batchBytes = 2 ** 20;

/**
 * Messages in Redis Streams, of Redis 6.2 or later: a stream for each topic and a consumer group for each group, with
 * batched fetching and acknowledging. What was confirmed outlives processes, and the server as its AOF does; a failover
 * may lose what was confirmed last.
 *
 * @throws InvalidOptionError
 */
export function redisStreams(options: RedisStreamsOptions): Driver<RedisStreamsCapabilities> {
  return new RedisStreamsDriver(readOptions('redisStreams', options, rules));
}

class RedisStreamsDriver implements Driver<RedisStreamsCapabilities> {
  readonly kind = 'redisStreams';
  readonly capabilities: RedisStreamsCapabilities = capabilities;
  readonly leaseMs: number;
  readonly #settings: Settings;
  readonly #link: Link;
  readonly #commands: Commands;
  readonly #links = new Set<Link>();
  readonly #safety: RedisSafety;
  #isClosed = false;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.leaseMs = settings.leaseMs;
    this.#safety = new RedisSafety('redisStreams', settings.allowEviction);
    this.#link = this.#open(() => {});
    this.#commands = new Commands(this.#link, settings.timeoutMs);
  }

  async declare(topic: string, group: string): Promise<void> {
    const { stream } = this.#keys(topic);
    await this.#commands.script(declareScript, [stream, group]);
  }

  async publish(
    topic: string,
    batch: readonly OutgoingMessage[],
    { allowUnrouted = false }: PublishSettings = {},
  ): Promise<readonly Published[]> {
    const parts = await Promise.all(partsOf(batch).map(part => this.#publish(topic, part, allowUnrouted)));
    return parts.flat();
  }

  consume(topic: string, group: string, options: ConsumeOptions): AsyncIterable<Delivery> {
    if (this.#isClosed) throw new QueueClosedError('the redisStreams driver');
    const { leaseMs, maxDead, timeoutMs } = this.#settings;
    const parts = { topic, group, keys: this.#keys(topic), leaseMs, maxDead, timeoutMs };
    const open = (lost: () => void) => this.#open(lost);
    const close = (link: Link) => {
      link.abort();
      this.#links.delete(link);
    };
    return consume({ ...parts, commands: this.#commands, open, close }, options);
  }

  async inspect(topic: string, group: string, page: DeadLetterPage): Promise<readonly DeadLetter[]> {
    const { stream } = this.#keys(topic);
    const after = page.after === undefined ? [] : [page.after];
    const args = [stream, group, page.limit, ...after];
    const reply = await this.#commands.script(inspectScript, args, { outcome: 'NotExecuted', asBytes: true });
    return (reply as RawFields[]).map(raw => deadLetter(topic, group, raw));
  }

  redrive(topic: string, group: string, selection: DeadLetterSelection): Promise<number> {
    return this.#takeDead(topic, group, selection, 1);
  }

  purge(topic: string, group: string, selection: DeadLetterSelection): Promise<number> {
    return this.#takeDead(topic, group, selection, 0);
  }

  async stats(topic: string, group: string): Promise<GroupStats> {
    const { stream } = this.#keys(topic);
    const reply = this.#commands.script(statsScript, [stream, group], { outcome: 'NotExecuted' });
    const [waiting, delayed, active, dead] = (await reply) as [number, number, number, number];
    return { waiting, delayed, active, dead };
  }

  async probe(topic: string, group: string): Promise<void> {
    const { stream } = this.#keys(topic);
    const groups = await this.#commands.reading('XINFO', ['GROUPS', stream], false).catch(error => {
      throw new GroupGoneError(topic, group, { cause: error });
    });
    const names = (groups as unknown[][]).map(fields => fields[fields.indexOf('name') + 1]);
    if (!names.includes(group)) throw new GroupGoneError(topic, group);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    const waiting = [...this.#links].filter(link => link !== this.#link);
    for (const link of waiting) link.abort();
    await this.#link.close();
  }

  #keys(topic: string): TopicKeys {
    return keysOf(this.#settings.prefix, topic);
  }

  async #publish(
    topic: string,
    batch: readonly OutgoingMessage[],
    allowUnrouted: boolean,
  ): Promise<readonly Published[]> {
    const { stream } = this.#keys(topic);
    const { deduplicationMs, maxMessages } = this.#settings;
    try {
      const args = [stream, deduplicationMs, maxMessages, ...batch.flatMap(outgoing)];
      const results = (await this.#commands.script(publishScript, args)) as number[] | null;
      if (results === null)
        return batch.map(() => (allowUnrouted ? { ok: true } : refusal(new UnroutedError(topic))));
      return results.map(result =>
        result === 1 ? { ok: true } : refusal(new QueueFullError(topic, 'any', maxMessages)),
      );
    } catch (error) {
      return batch.map(() => ({ ok: false, outcome: outcomeOf(error), error: error as Error }));
    }
  }

  async #takeDead(
    topic: string,
    group: string,
    selection: DeadLetterSelection,
    again: 0 | 1,
  ): Promise<number> {
    const { stream } = this.#keys(topic);
    const { ids, limit = 1_000_000_000 } = selection;
    if (ids?.length === 0) return 0;
    const args = [stream, group, again, limit, ...(ids ?? [])];
    return (await this.#commands.script(takeDeadScript, args)) as number;
  }

  #open(lost: () => void): Link {
    const { redis, prefix, timeoutMs } = this.#settings;
    const connectTimeoutMs = Math.max(1_000, timeoutMs);
    let connections = 0;
    const link = new Link({
      connectTimeoutMs,
      errors: redisErrors('the redisStreams driver'),
      prepare: client => this.#safety.check(client, keysOf(prefix, 'any').stream),
      checkAgainMs: 10_000,
      make: (): Client => clientLike(redis, { connectionName: 'ashlar-queue', connectTimeoutMs }),
      connected: () => {
        if (connections++ > 0) lost();
      },
    });
    this.#links.add(link);
    return link;
  }
}

function* cut(batch: readonly OutgoingMessage[]): Generator<readonly OutgoingMessage[]> {
  let part: OutgoingMessage[] = [];
  let bytes = 0;
  for (const message of batch) {
    part.push(message);
    bytes += message.body.byteLength;
    if (part.length < batchMessages && bytes < batchBytes) continue;
    yield part;
    part = [];
    bytes = 0;
  }
  if (part.length > 0) yield part;
}

function partsOf(batch: readonly OutgoingMessage[]): (readonly OutgoingMessage[])[] {
  return [...cut(batch)];
}

function refusal(error: Error): Published {
  return { ok: false, outcome: 'NotExecuted', error };
}
