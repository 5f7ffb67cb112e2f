import { Redis } from 'ioredis';
import pg from 'pg';
import { redisStreams } from '../../../src/adapters/redis-streams.ts';
import { messages, Queue } from '../../../src/index.ts';
import { outbox } from '../../../src/outbox.ts';
import { deadlyDriver, deadlyPool } from './points.ts';

/** A worker that charges orders, once each, and says so; it dies at one point of that. */
export interface KillOptions {
  readonly postgres: string;
  readonly redis: number;
  readonly prefix: string;
  /** A KillPoint, or none. */
  readonly point: string;
}

export interface KillMessages {
  order: { readonly n: number };
  charged: { readonly n: number };
}

const { postgres, redis: port, prefix, point } = JSON.parse(process.argv[2]!) as KillOptions;
const pool = new pg.Pool({ connectionString: postgres });
pool.on('error', () => {});
const redis = new Redis({ port, lazyConnect: true });
const streams = redisStreams({ redis, prefix, leaseMs: 1_000 });
const driver = outbox(deadlyDriver(streams, point), {
  pool: deadlyPool(pool, point, 'relay'),
  table: `${prefix}_outbox`,
});
await driver.migrate();
const queue = new Queue(driver, { messages: messages<KillMessages>() });
await queue.subscribe(
  'order',
  async ({ n }, { tx }) => {
    await tx.query(`INSERT INTO effects_${prefix} VALUES ($1)`, [n]);
    await queue.publish('charged', { n }, { tx: tx as pg.PoolClient, key: `order-${n}` });
  },
  {
    idempotency: { mode: 'transaction', pool: deadlyPool(pool, point, 'handler'), table: `${prefix}_inbox` },
    crashes: 100, // Where many others run, its event loop may stand still for longer than a lease
  },
);
process.send?.('ready');
process.on('message', async () => {
  await queue.close();
  redis.disconnect();
  await pool.end();
  process.disconnect();
});
