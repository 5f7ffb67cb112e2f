import { boolean, durationMs, integer, type RulesFor, readOptions } from '@ashlar/core';
import {
  type Argument,
  type Commands,
  type RedisLike,
  redisClient,
  type Script,
  type ScriptOptions,
} from '@ashlar/store/redis-connection';
import type { DeadLetter, DeadLetterPage, DeadLetterSelection } from '../dead-letters.ts';
import {
  type Capabilities,
  type ConsumeOptions,
  type Delivery,
  type Driver,
  type GroupStats,
  type Job,
  type OutgoingMessage,
  outcomeOf,
  type Published,
  type PublishSettings,
  refusal,
} from '../driver.ts';
import { GroupGoneError, QueueFullError, UnroutedError } from '../errors.ts';
import { batchParts } from '../messages/batch-parts.ts';
import { consume } from './redis-streams/consumer.ts';
import { takeDead } from './redis-streams/dead-letters.ts';
import { inGroup } from './redis-streams/in-group.ts';
import { keysOf, prefixRule, type TopicKeys } from './redis-streams/keys.ts';
import { Links } from './redis-streams/links.ts';
import { inspectScript } from './redis-streams/scripts/dead-letters.ts';
import { deduplicateScript } from './redis-streams/scripts/deduplicate.ts';
import { cancelScript, findScript, pauseScript, resumeScript } from './redis-streams/scripts/jobs.ts';
import { declareScript, publishScript } from './redis-streams/scripts/publish.ts';
import { statsScript } from './redis-streams/scripts/stats.ts';
import {
  deadLetter,
  jobOf,
  outgoing,
  outgoingOnce,
  type RawFields,
  type RawJob,
} from './redis-streams/wire.ts';

export type { RedisLike } from '@ashlar/store/redis-connection';

export interface RedisStreamsOptions {
  /**
   * A client of ioredis: `Redis`, also through Sentinel, or `Cluster`; or of node-redis 5, from `createClient` or
   * `createCluster`. It stays unused: the driver opens connections of its own with the same settings, one, or one for each
   * topic in a cluster, and one more for each subscription.
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
  /** The results of handlers that a group keeps; the oldest go first. Default: 1 000. */
  readonly maxResults?: number;
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

const capabilities: RedisStreamsCapabilities = {
  delay: true,
  priority: false,
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

const rules = {
  redis: redisClient,
  prefix: prefixRule,
  leaseMs: durationMs(7_500, { min: 100 }),
  timeoutMs: durationMs(5_000, { above: 0, max: 2 ** 30 }),
  maxMessages: integer(1_000_000, { min: 1 }),
  maxDead: integer(10_000, { min: 0 }),
  maxResults: integer(1_000, { min: 0 }),
  deduplicationMs: durationMs(60_000, { min: 1_000 }),
  allowEviction: boolean(false),
} satisfies RulesFor<RedisStreamsOptions>;

const reading: ScriptOptions = { outcome: 'NotExecuted', asBytes: true };
const duplicate: Published = { ok: true, isDuplicate: true };

type Settings = { readonly [Name in keyof RedisStreamsOptions]-?: NonNullable<RedisStreamsOptions[Name]> };

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
  readonly #links: Links;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.leaseMs = settings.leaseMs;
    this.#links = new Links(settings, keysOf(settings.prefix, 'any'));
  }

  async declare(topic: string, group: string): Promise<void> {
    await this.#run(topic, declareScript, [group]);
  }

  async publish(
    topic: string,
    batch: readonly OutgoingMessage[],
    { allowUnrouted = false }: PublishSettings = {},
  ): Promise<readonly Published[]> {
    const parts = await Promise.all(batchParts(batch).map(part => this.#publish(topic, part, allowUnrouted)));
    return parts.flat();
  }

  consume(topic: string, group: string, options: ConsumeOptions): AsyncIterable<Delivery> {
    this.#links.checkOpen();
    const { leaseMs, maxDead, maxResults, timeoutMs } = this.#settings;
    const keys = this.#keys(topic);
    const shared = this.#links.shared(keys);
    const parts = { topic, group, keys, ...shared, leaseMs, maxDead, maxResults, timeoutMs };
    const open = (lost: () => void) => this.#links.open(keys, lost);
    const probe = () => this.probe(topic, group);
    return consume({ ...parts, open, close: link => this.#links.end(link), probe }, options);
  }

  async inspect(topic: string, group: string, page: DeadLetterPage): Promise<readonly DeadLetter[]> {
    const after = page.after === undefined ? [] : [page.after];
    const reply = await this.#ofGroup(topic, group, inspectScript, [page.limit, ...after], reading);
    return (reply as RawFields[]).map(raw => deadLetter(topic, group, raw));
  }

  async redrive(topic: string, group: string, selection: DeadLetterSelection): Promise<number> {
    return this.#takeDead(topic, group, selection, true);
  }

  async purge(topic: string, group: string, selection: DeadLetterSelection): Promise<number> {
    return this.#takeDead(topic, group, selection, false);
  }

  async stats(topic: string, group: string): Promise<GroupStats> {
    const reply = await this.#ofGroup(topic, group, statsScript, [], reading);
    const [waiting, delayed, active, dead] = reply as [number, number, number, number];
    return { waiting, delayed, active, dead };
  }

  async probe(topic: string, group: string): Promise<void> {
    const { stream } = this.#keys(topic);
    const groups = await this.#commands(topic)
      .reading('XINFO', ['GROUPS', stream], false)
      .catch(error => {
        if (!/no such key/i.test(String((error as Error).cause))) throw error;
        throw new GroupGoneError(topic, group, { cause: error });
      });
    const names = (groups as unknown[][]).map(fields => fields[fields.indexOf('name') + 1]);
    if (!names.includes(group)) throw new GroupGoneError(topic, group);
  }

  async pause(topic: string, group: string): Promise<void> {
    await this.#ofGroup(topic, group, pauseScript, []);
  }

  async resume(topic: string, group: string): Promise<void> {
    await this.#ofGroup(topic, group, resumeScript, []);
  }

  async find(topic: string, group: string, id: string): Promise<Job | undefined> {
    const reply = (await this.#ofGroup(topic, group, findScript, [id], reading)) as RawJob | null;
    return reply === null ? undefined : jobOf(reply);
  }

  async cancel(topic: string, group: string, id: string): Promise<boolean> {
    return (await this.#ofGroup(topic, group, cancelScript, [id])) === 1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#links.close();
  }

  #keys(topic: string): TopicKeys {
    return keysOf(this.#settings.prefix, topic);
  }

  #commands(topic: string): Commands {
    return this.#links.commands(this.#keys(topic));
  }

  /** Runs a script on the keys of a topic. */
  #run(topic: string, script: Script, args: readonly Argument[], options?: ScriptOptions): Promise<unknown> {
    return this.#commands(topic).script(script, [this.#keys(topic).stream, ...args], options);
  }

  /** The same for a group. @throws GroupGoneError */
  #ofGroup(
    topic: string,
    group: string,
    script: Script,
    args: readonly Argument[],
    options?: ScriptOptions,
  ): Promise<unknown> {
    return inGroup(topic, group, this.#run(topic, script, [group, ...args], options));
  }

  #takeDead(topic: string, group: string, selection: DeadLetterSelection, again: boolean): Promise<number> {
    const { stream } = this.#keys(topic);
    return inGroup(topic, group, takeDead(this.#commands(topic), stream, group, selection, again));
  }

  async #publish(
    topic: string,
    batch: readonly OutgoingMessage[],
    allowUnrouted: boolean,
  ): Promise<readonly Published[]> {
    const isKeyed = (message: OutgoingMessage) => message.deduplication !== undefined;
    if (!batch.some(isKeyed)) return this.#send(topic, batch, allowUnrouted, publishScript, outgoing);
    const [plain, keyed] = await Promise.all([
      this.#send(
        topic,
        batch.filter(message => !isKeyed(message)),
        allowUnrouted,
        publishScript,
        outgoing,
      ),
      this.#send(topic, batch.filter(isKeyed), allowUnrouted, deduplicateScript, outgoingOnce),
    ]);
    const [nextPlain, nextKeyed] = [plain.values(), keyed.values()];
    return batch.map(message => (isKeyed(message) ? nextKeyed : nextPlain).next().value!);
  }

  async #send(
    topic: string,
    batch: readonly OutgoingMessage[],
    allowUnrouted: boolean,
    script: Script,
    argumentsOf: (message: OutgoingMessage) => readonly Argument[],
  ): Promise<readonly Published[]> {
    if (batch.length === 0) return [];
    const { deduplicationMs, maxMessages } = this.#settings;
    try {
      const args = [deduplicationMs, maxMessages, ...batch.flatMap(argumentsOf)];
      const results = (await this.#run(topic, script, args)) as number[] | null;
      if (results === null)
        return batch.map(() => (allowUnrouted ? { ok: true } : refusal(new UnroutedError(topic))));
      const full = refusal(new QueueFullError(topic, 'any', maxMessages));
      return results.map(result => (result === 0 ? full : result === 1 ? { ok: true } : duplicate));
    } catch (error) {
      return batch.map(() => ({ ok: false, outcome: outcomeOf(error), error: error as Error }));
    }
  }
}
