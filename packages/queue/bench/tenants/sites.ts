import { startPostgres, startRedis } from '@workspace/services';
import { Redis } from 'ioredis';
import pg from 'pg';
import { bullmq } from '../../src/adapters/bullmq.ts';
import { postgresDriver } from '../../src/adapters/postgres.ts';
import { redisStreams } from '../../src/adapters/redis-streams.ts';
import { type Capabilities, type Driver, memoryDriver, messages, Queue } from '../../src/index.ts';

export interface Work {
  work: { readonly n: number };
}

interface Sharing extends Capabilities {
  readonly fairness: true;
  readonly limits: true;
}

export type WorkQueue = Queue<Work, Sharing>;

const newQueue = (driver: Driver<Sharing>): WorkQueue => new Queue(driver, { messages: messages<Work>() });

/** A server of its own, and queues over it that share nothing. */
export interface Site extends AsyncDisposable {
  queue(): Promise<WorkQueue>;
}

const redisConfig = { appendonly: 'yes', appendfsync: 'everysec' };

async function memorySite(): Promise<Site> {
  return {
    queue: async () => newQueue(memoryDriver()),
    async [Symbol.asyncDispose]() {},
  };
}

async function redisStreamsSite(): Promise<Site> {
  const server = await startRedis({ config: redisConfig });
  const redis = new Redis({ port: server.port, lazyConnect: true });
  let count = 0;
  return {
    queue: async () => newQueue(redisStreams({ redis, prefix: `site-${count++}` })),
    async [Symbol.asyncDispose]() {
      redis.disconnect();
      await server.stop();
    },
  };
}

async function bullmqSite(): Promise<Site> {
  const server = await startRedis({ config: redisConfig });
  let count = 0;
  return {
    queue: async () => newQueue(bullmq({ connection: { port: server.port }, prefix: `site-${count++}` })),
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

async function postgresSite(): Promise<Site> {
  const server = await startPostgres({ config: { shared_buffers: '128MB', max_wal_size: '4GB' } });
  const pool = new pg.Pool({ connectionString: server.url, max: 10 });
  pool.on('error', () => {}); // The server's end ends its sessions
  let count = 0;
  return {
    async queue() {
      const driver = postgresDriver({ pool, prefix: `site_${count++}`, durability: 'asynchronous' });
      await driver.migrate();
      return newQueue(driver);
    },
    async [Symbol.asyncDispose]() {
      await pool.end();
      await server.stop();
    },
  };
}

export const sites: Readonly<Record<string, () => Promise<Site>>> = {
  memory: memorySite,
  redisStreams: redisStreamsSite,
  bullmq: bullmqSite,
  postgres: postgresSite,
};
