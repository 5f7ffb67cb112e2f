import { mkdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  eventually,
  type Redis as RedisServer,
  startRedis,
  startTcpProxy,
  type TcpProxy,
} from '@workspace/services';
import { Redis } from 'ioredis';
import { redisStore } from '../../src/adapters/redis.ts';
import type { ManagedStore } from '../../src/index.ts';
import type { Call, StoreSpec } from '../plan/plan.ts';
import { reading, type Site, type Stage, timeoutOf } from './site.ts';

/** What each user may do. */
const users = {
  all: '+@all ~*',
  'without XREAD': '+@all -xread ~*',
  'without INFO': '+@all -info -config ~*',
  'without CLIENT': '+@all -client ~*',
  reader: '+@all -@write ~*',
  'without XADD': '+@all -xadd ~*',
  'of other keys': '+@all ~elsewhere*',
  'without scripts': '+@all -evalsha ~*',
} as const;

type User = keyof typeof users;

/** Each begins by the first part; the second ends it. */
type Trouble = readonly [
  begin: (site: RedisSite) => Promise<unknown>,
  end?: (site: RedisSite) => Promise<unknown>,
];

const troubles: Readonly<Record<string, Trouble>> = {
  READONLY: [
    ({ admin }) => admin.call('REPLICAOF', '127.0.0.1', '1'),
    ({ admin }) => admin.call('REPLICAOF', 'NO', 'ONE'),
  ],
  MISCONF: [
    ({ admin }) => admin.config('SET', 'save', '3600 1'),
    ({ admin }) => admin.config('SET', 'save', ''),
  ],
  NOREPLICAS: [
    ({ admin }) => admin.config('SET', 'min-replicas-to-write', '1'),
    ({ admin }) => admin.config('SET', 'min-replicas-to-write', '0'),
  ],
  OOM: [
    ({ admin }) => admin.config('SET', 'maxmemory', '1'),
    ({ admin }) => admin.config('SET', 'maxmemory', '0'),
  ],
  'may evict': [
    ({ admin }) => admin.config('SET', 'maxmemory-policy', 'allkeys-lru'),
    ({ admin }) => admin.config('SET', 'maxmemory-policy', 'noeviction'),
  ],
  'writes wait': [
    ({ admin }) => admin.call('CLIENT', 'PAUSE', '300', 'WRITE'),
    ({ admin }) => admin.call('CLIENT', 'UNPAUSE'),
  ],
  'connections are killed': [({ admin }) => admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')],
  'scripts are forgotten': [({ admin }) => admin.script('FLUSH')],
  'the way is cut': [async ({ proxy }) => proxy.cut()],
  'the way is silent': [async ({ proxy }) => proxy.stall(), async ({ proxy }) => proxy.resume()],
  'the way is closed': [({ proxy }) => proxy.refuse(), ({ proxy }) => proxy.accept()],
  'the way is slow': [async ({ proxy }) => proxy.delay(40), async ({ proxy }) => proxy.delay(0)],
};

export async function redisSite(): Promise<Site> {
  const server = await startRedis({ config: { 'enable-protected-configs': 'yes' } });
  const proxy = await startTcpProxy({ target: server.port });
  const site = new RedisSite(server, proxy, new Redis(server.port));
  await site.prepare();
  return site;
}

class RedisSite implements Site {
  readonly name = 'redis';
  readonly users: readonly User[] = Object.keys(users) as User[];
  readonly troubles: readonly string[] = Object.keys(troubles);
  readonly mostStores = 3;
  readonly proxy: TcpProxy;
  readonly admin: Redis;
  readonly #server: RedisServer;
  #cases = 0;

  constructor(server: RedisServer, proxy: TcpProxy, admin: Redis) {
    this.#server = server;
    this.proxy = proxy;
    this.admin = admin;
  }

  async prepare(): Promise<void> {
    for (const [index, name] of this.users.entries()) {
      await this.admin.call('ACL', 'SETUSER', `user-${index}`, 'on', '>secret', ...users[name].split(' '));
    }
    // A snapshot that failed once makes MISCONF a matter of `save`
    const gone = join(this.#server.directory, 'gone');
    await mkdir(gone);
    await this.admin.config('SET', 'dir', gone);
    await rmdir(gone);
    await this.admin.call('BGSAVE');
    await eventually(
      async () => {
        const info = await this.admin.info('persistence');
        if (!info.includes('rdb_last_bgsave_status:err')) throw new Error('the snapshot has not failed yet');
      },
      { withinMs: 20_000 },
    );
  }

  async begin(specs: readonly StoreSpec[]): Promise<Stage> {
    return new RedisStage(this, `case-${++this.#cases}`, specs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.admin.disconnect();
    await this.proxy.stop();
    await this.#server.stop();
  }
}

class RedisStage implements Stage {
  readonly stores: readonly ManagedStore[];
  readonly #site: RedisSite;
  readonly #prefix: string;
  readonly #specs: readonly StoreSpec[];
  readonly #clients: readonly Redis[];
  readonly #ends = new Map<string, () => Promise<unknown>>();

  constructor(site: RedisSite, prefix: string, specs: readonly StoreSpec[]) {
    this.#site = site;
    this.#prefix = prefix;
    this.#specs = specs;
    this.#clients = specs.map(
      ({ user }) =>
        new Redis({
          port: site.proxy.port,
          lazyConnect: true,
          username: `user-${site.users.indexOf(user as User)}`,
          password: 'secret',
          ...(user === 'without INFO' ? { enableReadyCheck: false } : {}),
        }),
    );
    this.stores = specs.map((spec, index) =>
      redisStore({ redis: this.#clients[index]!, prefix, timeoutMs: timeoutOf(spec) }),
    );
  }

  allows(store: number, { op }: Call): boolean {
    switch (this.#specs[store]!.user as User) {
      case 'of other keys':
        return false;
      case 'reader':
        return reading.has(op);
      case 'without scripts':
        return op === 'get' || op === 'getMany';
      case 'without XADD':
        return reading.has(op) || op === 'claim' || op === 'release';
      default:
        return true;
    }
  }

  async trouble(name: string): Promise<{ readonly closes: boolean }> {
    const [begin, end] = troubles[name]!;
    // Both together evict
    if ((name === 'OOM' && this.#ends.has('may evict')) || (name === 'may evict' && this.#ends.has('OOM'))) {
      return { closes: false };
    }
    if (end !== undefined) this.#ends.set(name, () => end(this.#site));
    await begin(this.#site);
    return { closes: false };
  }

  async calm(): Promise<void> {
    for (const end of this.#ends.values()) await end();
    this.#ends.clear();
  }

  width(): number {
    return 1;
  }

  async leftovers(): Promise<readonly string[]> {
    const left: string[] = [];
    if (this.#site.proxy.connections > 0) left.push(`${this.#site.proxy.connections} connections`);
    for (const client of this.#clients) {
      if (client.status !== 'wait' || client.listenerCount('error') > 0) left.push('something on the client');
    }
    return left;
  }

  async end(): Promise<void> {
    await this.calm();
    const keys = await this.#site.admin.keys(`{${this.#prefix}}:*`);
    if (keys.length > 0) await this.#site.admin.del(keys);
    for (const client of this.#clients) client.disconnect();
  }
}
