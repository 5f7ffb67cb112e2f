import { Redis } from 'ioredis';
import pg from 'pg';
import { redisStreams } from '../../src/adapters/redis-streams.ts';
import { outbox } from '../../src/outbox.ts';

export interface OutboxSettings {
  readonly postgres: number;
  readonly redis: number;
}

/** What a relay has published and begins to wait for, or its being ready. */
export type OutboxMessage = 'ready' | 'publishing';

/** So that the server drops a relay that stands still for 5.6 s. */
export const relayTimeoutMs = 300;

const { postgres, redis: port } = JSON.parse(process.argv[2]!) as OutboxSettings;
const streams = redisStreams({ redis: new Redis({ port, lazyConnect: true }), timeoutMs: 2_000 });
const publish = streams.publish.bind(streams);
streams.publish = (topic, batch, settings) => {
  process.send!('publishing' satisfies OutboxMessage);
  return publish(topic, batch, settings);
};
const pool = new pg.Pool({ connectionString: `postgres://postgres@127.0.0.1:${postgres}/postgres` });
pool.on('error', () => {});
const driver = outbox(streams, { pool, timeoutMs: relayTimeoutMs });
await driver.migrate();
process.send!('ready' satisfies OutboxMessage);
