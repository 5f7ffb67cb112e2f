import { type Client, Commands, clientLike, Link, type RedisLike } from '@ashlar/store/redis-connection';
import { QueueClosedError } from '../../errors.ts';
import { redisErrors } from '../redis-errors.ts';
import { RedisSafety } from '../redis-safety.ts';
import type { TopicKeys } from './keys.ts';

interface LinksSettings {
  readonly redis: RedisLike;
  readonly timeoutMs: number;
  readonly allowEviction: boolean;
}

export interface SharedLink {
  readonly link: Link;
  readonly commands: Commands;
}

const name = 'the redisStreams driver';

/** The connections of a driver. In a cluster, those of a topic go to the node that has its keys. */
export class Links {
  readonly #settings: LinksSettings;
  readonly #isCluster: boolean;
  readonly #safety: RedisSafety;
  /** For commands that do not wait: one, or one for each topic. */
  readonly #shared = new Map<string, SharedLink>();
  /** Those of consumers, which wait. */
  readonly #waiting = new Set<Link>();
  #isClosed = false;

  /** Begins to connect, where it is known to what. @param any the keys of any topic */
  constructor(settings: LinksSettings, any: TopicKeys) {
    this.#settings = settings;
    this.#safety = new RedisSafety('redisStreams', settings.allowEviction);
    this.#isCluster = settings.redis.isCluster === true || 'masters' in settings.redis;
    if (!this.#isCluster) this.commands(any);
  }

  /** @throws QueueClosedError */
  commands(keys: TopicKeys): Commands {
    return this.shared(keys).commands;
  }

  /** The connection for commands that do not wait. @throws QueueClosedError */
  shared(keys: TopicKeys): SharedLink {
    const node = this.#isCluster ? keys.stream : '';
    const known = this.#shared.get(node);
    if (known !== undefined) return known;
    this.checkOpen();
    const link = this.#make(keys, () => {});
    const shared = { link, commands: new Commands(link, this.#settings.timeoutMs) };
    this.#shared.set(node, shared);
    return shared;
  }

  /** A connection of its own. @param lost called after each reconnect */
  open(keys: TopicKeys, lost: () => void): Link {
    const link = this.#make(keys, lost);
    this.#waiting.add(link);
    return link;
  }

  end(link: Link): void {
    link.abort();
    this.#waiting.delete(link);
  }

  /** @throws QueueClosedError */
  checkOpen(): void {
    if (this.#isClosed) throw new QueueClosedError(name);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const link of this.#waiting) link.abort();
    await Promise.all([...this.#shared.values()].map(({ link }) => link.close()));
  }

  #make({ stream }: TopicKeys, lost: () => void): Link {
    const { redis, timeoutMs } = this.#settings;
    const connectTimeoutMs = Math.max(1_000, timeoutMs);
    let connections = 0;
    return new Link({
      connectTimeoutMs,
      errors: redisErrors(name),
      prepare: client => this.#safety.check(client, stream),
      checkAgainMs: 10_000,
      make: () =>
        unkept(clientLike(redis, { connectionName: 'ashlar-queue', connectTimeoutMs, key: stream })),
      connected: () => {
        if (connections++ > 0) lost();
      },
    });
  }
}

/** Calls in flight keep the process alive by their deadlines, and subscriptions by themselves: not the socket of ioredis. */
function unkept(client: Client): Client {
  client.on('connect', () => client.stream?.unref());
  return client;
}
