import type { Random } from '@ashlar/core';
import { postgresStore } from '@ashlar/store/postgres';
import { Peer } from '@workspace/faults';
import { type Postgres, type Redis as Server, startPostgres, startRedis } from '@workspace/services';
import { Redis } from 'ioredis';
import pg from 'pg';
import { Slots } from '../../src/keys/slots.ts';
import { Maps } from '../../src/map/maps.ts';
import { ownersOf, type ShardMap } from '../../src/map/shard-map.ts';
import { type Fault, type Finding, Tally } from '../fault.ts';
import { Coordinator, longest, overOf, Traffic, writing } from '../moving/peers.ts';
import { customerName, nowMs } from '../moving/roles.ts';
import type { Settings } from './roles.ts';

const clients = 2;
const customers = Number(process.env['ROWS'] ?? 100_000);
const slots = new Slots('text', 1_024);
const steps = ['prepare', 'copy', 'catchUp', 'verify', 'cutover', 'fence', 'turn', 'committed'];
const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms));

/** Two servers of Redis that keep all that they acknowledge, and where the map is. */
class TwoServers implements AsyncDisposable {
  readonly store: Postgres;
  readonly servers: ReadonlyMap<string, Server>;

  private constructor(store: Postgres, servers: ReadonlyMap<string, Server>) {
    this.store = store;
    this.servers = servers;
  }

  static async start(): Promise<TwoServers> {
    const store = await startPostgres({ own: true, config: { fsync: true, full_page_writes: true } });
    const servers = new Map<string, Server>();
    for (const name of ['one', 'two'])
      servers.set(
        name,
        await startRedis({ own: true, config: { appendonly: 'yes', appendfsync: 'always' } }),
      );
    const place = new TwoServers(store, servers);
    for (const [at, name] of ['one', 'two'].entries()) {
      await place.ask(name, async redis => {
        const pipeline = redis.pipeline();
        for (let n = 0; n < customers; n++) {
          const slot = slots.of(customerName(n));
          if (Math.floor(slot / 512) === at)
            pipeline.hset(`{shards:${slot}}:${customerName(n)}`, 'n', '0', 'text', 'x'.repeat(100));
        }
        await pipeline.exec();
      });
    }
    return place;
  }

  get settings(): Omit<Settings, 'process'> {
    const shards = Object.fromEntries([...this.servers].map(([name, { url }]) => [name, url]));
    return { shards, store: this.store.url, customers };
  }

  async ask<T>(name: string, work: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = new Redis(this.servers.get(name)!.url);
    redis.on('error', () => {});
    try {
      return await work(redis);
    } finally {
      redis.disconnect();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of [...this.servers.values(), this.store]) await server.stop();
  }
}

interface Kind {
  readonly name: string;
  readonly about: string;
  readonly isDisturbed: boolean;
  happen(place: {
    servers: TwoServers;
    from: string;
    to: string;
    coordinator: Coordinator;
    another(): void;
  }): Promise<void>;
}

const kinds: readonly Kind[] = [
  {
    name: 'redis-move',
    about: 'half of the keys of a server of Redis move under writes, and nothing else happens',
    isDisturbed: false,
    async happen() {},
  },
  {
    name: 'redis-coordinator-killed',
    about: 'the process that moves keys of Redis is killed at a random step, and another goes on',
    isDisturbed: true,
    async happen({ coordinator, another }) {
      coordinator.peer.process.kill('SIGKILL');
      another();
    },
  },
  {
    name: 'redis-source-killed',
    about: 'the Redis of the source is killed at a random step, and started again',
    isDisturbed: true,
    happen: ({ servers, from }) => restarted(servers, from),
  },
  {
    name: 'redis-target-killed',
    about: 'the Redis of the target is killed at a random step, and started again',
    isDisturbed: true,
    happen: ({ servers, to }) => restarted(servers, to),
  },
];

async function restarted({ servers }: TwoServers, name: string): Promise<void> {
  await servers.get(name)!.kill();
  await pause(500);
  await servers.get(name)!.restart();
}

/** Two servers of Redis, processes that write and read, and half of the slots of one that move to the other. */
export const redisMoveFaults: readonly Fault[] = kinds.map(kind => ({
  name: kind.name,
  about: kind.about,
  usualRuns: 20,
  async begin() {
    const servers = await TwoServers.start();
    const pool = new pg.Pool({ connectionString: servers.store.url });
    const store = postgresStore({ pool });
    await store.migrate();
    return {
      run: ({ random }) => run(kind, servers, new Maps(store, 'shards'), random),
      async [Symbol.asyncDispose]() {
        await store.close();
        await pool.end();
        await servers[Symbol.asyncDispose]();
      },
    };
  },
}));

async function run(kind: Kind, servers: TwoServers, maps: Maps, random: Random): Promise<Finding> {
  const tally = new Tally();
  const traffic: Traffic[] = [];
  const coordinators: Coordinator[] = [];
  try {
    for (let at = 0; at < clients; at++) {
      const settings = { ...servers.settings, process: Math.floor(random() * 1e9) };
      traffic.push(new Traffic(new Peer(new URL('./client-process.ts', import.meta.url), settings)));
    }
    await writing(traffic, 0);
    const before = (await maps.read())!;
    const [from, to] = byCount(before);
    const request = { kind: 'move', from, to, part: 0.5 };
    const another = () => {
      const settings = { ...servers.settings, process: 0, request };
      coordinators.push(
        new Coordinator(new Peer(new URL('./coordinator-process.ts', import.meta.url), settings)),
      );
    };
    another();
    const [coordinator] = coordinators as [Coordinator];
    if (kind.isDisturbed) {
      const step = steps[Math.floor(random() * steps.length)]!;
      await Promise.race([coordinator.at(step), coordinator.over]);
      await pause(random() * 30);
    }
    const struckAt = nowMs();
    await kind.happen({ servers, from, to, coordinator, another });
    const committed = await overOf(coordinators);
    const overAt = nowMs();
    await writing(traffic, overAt);
    for (const { peer } of traffic) await peer.end();
    const map = (await maps.read())!;
    tally.expect(map.moves.length === 0, 'the move is still in the map');
    tally.expect(committed || kind.isDisturbed, `the move was undone: ${coordinator.said.join('; ')}`);
    await judge(servers, map, traffic, tally);
    const [was, is] = [ownersOf(before), ownersOf(map)];
    const pauseMs = longest(traffic, ({ customer }) => {
      const slot = slots.of(customer);
      return was[slot] !== is[slot];
    });
    return tally.finding({ pauseMs, ...(kind.isDisturbed && { recoveryMs: overAt - struckAt }) });
  } finally {
    for (const { peer } of [...traffic, ...coordinators]) await peer.end();
  }
}

/** The server with the most slots, and the other. */
function byCount(map: ShardMap): [string, string] {
  const ones = ownersOf(map).filter(each => each === 'one').length;
  return ones >= map.slots / 2 ? ['one', 'two'] : ['two', 'one'];
}

/** Each write is at the server that has its customer, once, and no key is at the other. */
async function judge(
  servers: TwoServers,
  map: ShardMap,
  traffic: readonly Traffic[],
  tally: Tally,
): Promise<void> {
  const owners = ownersOf(map);
  const there = new Map<string, ReadonlySet<string>>();
  for (const name of servers.servers.keys()) {
    await servers.ask(name, async redis => {
      const keys = await redis.keys('{shards:*');
      const foreign = keys.filter(key => owners[Number(/^\{shards:(\d+)\}/.exec(key)![1])] !== name);
      tally.twoPlaces += foreign.length;
      tally.expect(foreign.length === 0, `${foreign.length} keys are at ${name} too, as ${foreign[0]}`);
      const wanted = Array.from({ length: customers }, (_, n) => customerName(n)).filter(
        each => owners[slots.of(each)] === name,
      );
      const count = keys.filter(key => !key.includes('}:writes of ')).length;
      tally.expect(count === wanted.length, `${name} has ${count} of ${wanted.length} customers`);
      const touched = new Set(traffic.flatMap(({ writes }) => writes.map(({ customer }) => customer)));
      for (const customer of wanted) {
        if (!touched.has(customer)) continue;
        const tag = `{shards:${slots.of(customer)}}:`;
        const ids = new Set(await redis.smembers(`${tag}writes of ${customer}`));
        tally.duplicated += Math.max(0, Number(await redis.hget(`${tag}${customer}`, 'n')) - ids.size);
        there.set(customer, ids);
      }
    });
  }
  for (const { writes, remarks, stale } of traffic) {
    tally.operations += writes.length;
    tally.stale += stale;
    tally.remarks.push(...remarks);
    for (const { customer, id, outcome } of writes) {
      const isThere = there.get(customer)?.has(id) === true;
      if (outcome === 'Executed' && !isThere) tally.lost++;
      tally.expect(outcome !== 'NotExecuted' || !isThere, `${id} was told NotExecuted, and is there`);
    }
  }
}
