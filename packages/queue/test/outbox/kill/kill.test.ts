import { once } from 'node:events';
import { Peer } from '@workspace/faults';
import {
  eventually,
  type Postgres,
  type Redis as RedisServer,
  startPostgres,
  startRedis,
} from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { redisStreams } from '../../../src/adapters/redis-streams.ts';
import { messages, Queue } from '../../../src/index.ts';
import { handlerPoints, relayPoints } from './points.ts';
import type { KillMessages, KillOptions } from './process.ts';

const orders = [1, 2, 3, 4, 5];
/** A process may take half a minute to start where many others run. */
const patiently = { withinMs: 120_000 };

describeWith('postgres', 'a process that dies', () => {
  describeWith('redis', 'among messages', () => {
    let postgres: Postgres;
    let redis: RedisServer;
    let pool: pg.Pool;
    beforeAll(async () => {
      [postgres, redis] = await Promise.all([startPostgres(), startRedis({ own: true })]);
      pool = new pg.Pool({ connectionString: postgres.url });
      pool.on('error', () => {}); // The end of the server may come before that of its sessions
    });
    afterAll(async () => {
      await pool?.end();
      await Promise.all([postgres?.stop(), redis?.stop()]);
    });

    function start(point: string, prefix: string): Peer<'ready'> {
      const options: KillOptions = { postgres: postgres.url, redis: redis.port, prefix, point };
      return new Peer(new URL('process.ts', import.meta.url), options);
    }

    for (const [index, point] of [...handlerPoints, ...relayPoints].entries()) {
      // Most of it is waiting for a lease to end
      it.concurrent(`${point} has its effects once, and its outgoing messages too`, {
        timeout: 480_000,
      }, async () => {
        const prefix = `kill_${process.pid}_${index}`;
        await pool.query(`CREATE TABLE effects_${prefix} (n integer)`);
        const client = new Redis({ port: redis.port, lazyConnect: true });
        const queue = new Queue(redisStreams({ redis: client, prefix, leaseMs: 1_000 }), {
          messages: messages<KillMessages>(),
        });
        const peers: Peer<'ready'>[] = [];
        try {
          const charged: number[] = [];
          await queue.subscribe('charged', ({ n }) => void charged.push(n));
          await queue.declare('order');
          await queue.publishMany(
            'order',
            orders.map(n => ({ n })),
          );
          const mortal = start(point, prefix);
          peers.push(mortal);
          await eventually(async () => expect(mortal.process.signalCode).toBe('SIGKILL'), patiently);
          const heir = start('none', prefix);
          peers.push(heir);
          await eventually(async () => {
            const { dead } = await queue.stats('order');
            expect({ charged: charged.toSorted(), dead }).toEqual({ charged: orders, dead: 0 });
          }, patiently);
          await eventually(async () => {
            const { rows } = await pool.query(`SELECT count(*)::int AS left FROM ${prefix}_outbox`);
            expect(rows).toEqual([{ left: 0 }]);
            expect(await queue.stats('order')).toMatchObject({ waiting: 0, active: 0, dead: 0 });
          }, patiently);
          const exit = once(heir.process, 'exit');
          heir.process.send('close');
          await exit;
          const { rows } = await pool.query(`SELECT n FROM effects_${prefix} ORDER BY n`);
          expect(rows.map(({ n }) => n)).toEqual(orders);
          expect(charged.toSorted()).toEqual(orders);
        } finally {
          for (const peer of peers) await peer.end();
          await queue.close();
          client.disconnect();
          await pool.query(`DROP TABLE IF EXISTS effects_${prefix}, ${prefix}_outbox, ${prefix}_inbox`);
        }
      });
    }
  });
});
