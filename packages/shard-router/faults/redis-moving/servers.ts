import {
  type Postgres,
  type RedisServer,
  type Redis as Servers,
  signal,
  startPostgres,
  startRedis,
} from '@workspace/services';
import { Redis } from 'ioredis';
import type { ShardMap } from '../../src/map/shard-map.ts';
import type { Tally } from '../fault.ts';
import { writesPerSecond } from '../moving/limits.ts';
import { countOf, slotOf } from '../moving/owners.ts';
import type { Traffic } from '../moving/peers.ts';
import type { Direct, Place } from '../moving/place.ts';
import { customerName } from '../moving/roles.ts';
import { directWrites } from './direct.ts';
import { judge } from './judging.ts';
import { keyOf } from './keys.ts';
import type { Settings } from './roles.ts';

const names = ['one', 'two'] as const;
/** Servers note what has held them up for longer, in milliseconds. */
const latencyMs = 20;
/** What is sent to a server at once. */
const atOnce = 10_000;

/** Two servers of Redis that keep all that they acknowledge, and where the map is. */
export class TwoServers implements Place {
  readonly programs: Place['programs'] = {
    client: new URL('./client-process.ts', import.meta.url),
    coordinator: new URL('./coordinator-process.ts', import.meta.url),
  };
  readonly #store: Postgres;
  readonly #customers: number;
  readonly #started: ReadonlyMap<string, Servers>;
  /** The primaries of the moment. */
  readonly #primaries: Map<string, RedisServer>;
  readonly #forks = new Map<string, number>();

  private constructor(store: Postgres, customers: number, started: ReadonlyMap<string, Servers>) {
    this.#store = store;
    this.#customers = customers;
    this.#started = started;
    this.#primaries = new Map(started);
  }

  /** @param standbys whether each server can fail over once: it has two replicas, one of which must have each write, also afterwards */
  static async start(customers: number, standbys: 0 | 1): Promise<TwoServers> {
    const store = await startPostgres({ own: true, config: { fsync: true, full_page_writes: true } });
    const config = {
      appendonly: 'yes',
      appendfsync: 'always',
      'latency-monitor-threshold': latencyMs,
    };
    const started = new Map<string, Servers>();
    for (const name of names) started.set(name, await startRedis({ replicas: 2 * standbys, config }));
    const place = new TwoServers(store, customers, started);
    for (const [at, name] of names.entries()) {
      const own = Array.from({ length: customers }, (_, n) => customerName(n)).filter(
        each => Math.floor(slotOf(each) / 512) === at,
      );
      await place.#ask(name, async redis => {
        for (let start = 0; start < own.length; start += atOnce) {
          const pipeline = redis.pipeline();
          for (const each of own.slice(start, start + atOnce))
            pipeline.hset(keyOf(each), 'n', '0', 'text', 'x'.repeat(100));
          await pipeline.exec();
        }
      });
    }
    return place;
  }

  get settings(): Omit<Settings, 'process'> {
    const shards = Object.fromEntries(
      [...this.#started].map(([name, server]) => [name, [server, ...server.replicas].map(({ url }) => url)]),
    );
    return { shards, store: this.#store.url, customers: this.#customers, writesPerSecond };
  }

  /** Half of the slots of the server that has more. */
  request(map: ShardMap): ReturnType<Place['request']> {
    const [from, to] =
      countOf(map, 'one') >= map.slots / 2 ? (['one', 'two'] as const) : (['two', 'one'] as const);
    return { kind: 'move', from, to, part: 0.5 };
  }

  async restart(name: string): Promise<void> {
    const server = this.#primaries.get(name)!;
    await server.kill();
    await new Promise(resolve => setTimeout(resolve, 500));
    await server.restart();
  }

  async failover(name: string): Promise<void> {
    await this.#primaries.get(name)!.kill();
    // The one that has more has all that any of them has acknowledged
    const replicas = await Promise.all(
      this.#started.get(name)!.replicas.map(async server => {
        const found = await this.#asked(server, redis => redis.info('replication'));
        return { server, offset: Number(/slave_repl_offset:(\d+)/.exec(found)![1]) };
      }),
    );
    const [{ server: next }, ...others] = replicas.sort((a, b) => b.offset - a.offset) as [
      (typeof replicas)[number],
      ...typeof replicas,
    ];
    this.#primaries.set(name, next);
    await this.#asked(next, redis => redis.replicaof('NO', 'ONE'));
    for (const { server } of others)
      await this.#asked(server, redis => redis.replicaof('127.0.0.1', next.port));
  }

  signalAll(name: string, how: NodeJS.Signals): void {
    signal(this.#primaries.get(name)!.pid, how);
  }

  direct(name: string, customer: string): Direct {
    return directWrites({ [name]: this.settings.shards[name]! }, name, customer);
  }

  async directs(name: string, customer: string): Promise<number> {
    return this.#ask(name, async redis => Number(await redis.hget(keyOf(customer), 'direct')));
  }

  async judge(map: ShardMap, traffic: readonly Traffic[], tally: Tally): Promise<void> {
    const clients = new Map(names.map(name => [name as string, this.#client(this.#primaries.get(name)!)]));
    try {
      await judge(clients, this.#customers, map, traffic, tally);
    } finally {
      for (const client of clients.values()) client.disconnect();
    }
  }

  /** What LATENCY has, and how often the append-only file was rewritten. */
  async waits(): Promise<string> {
    const found: string[] = [];
    for (const name of names) {
      await this.#ask(name, async redis => {
        const latest = (await redis.call('LATENCY', 'LATEST')) as [string, number, number, number][];
        await redis.call('LATENCY', 'RESET');
        const events = latest.map(([event, , , most]) => `${event} ${most} ms`);
        const forks = Number(/total_forks:(\d+)/.exec(await redis.info('stats'))![1]);
        const before = this.#forks.get(name) ?? 0;
        this.#forks.set(name, forks);
        // For a new file of all it has
        if (forks > before) events.push(`${forks - before} forks`);
        if (events.length > 0) found.push(`${name} was held up by ${events.join(', ')}`);
      });
    }
    return found.join('; ');
  }

  #client(server: RedisServer): Redis {
    const redis = new Redis(server.url);
    redis.on('error', () => {});
    return redis;
  }

  #ask<T>(name: string, work: (redis: Redis) => Promise<T>): Promise<T> {
    return this.#asked(this.#primaries.get(name)!, work);
  }

  async #asked<T>(server: RedisServer, work: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = this.#client(server);
    try {
      return await work(redis);
    } finally {
      redis.disconnect();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of [...this.#started.values(), this.#store]) await server.stop();
  }
}
