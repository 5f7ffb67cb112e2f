import { type CallOutcome, sleep } from '@ashlar/core';
import { postgresStore } from '@ashlar/store/postgres';
import { Redis } from 'ioredis';
import pg from 'pg';
import { redisServers, sentinel } from '../../src/adapters/redis.ts';
import { leading, ReplicaSet, Session } from '../../src/index.ts';
import { nowMs, type WriterMessage } from '../writer.ts';
import { newClient } from './replication.ts';
import type { RedisWriterSettings } from './writer.ts';

const settings = JSON.parse(process.argv[2]!) as RedisWriterSettings;
const { writer, by, servers, sentinels, masterName } = settings;
const say = (message: WriterMessage) => process.send!(message);

/** Appends the number; resolves when it is acknowledged. */
type Append = (n: number) => Promise<unknown>;

const append = by === 'ioredis' ? await appendAlone() : await appendBySet();
say({ type: 'ready' });

// Until the process is ended
for (let n = 0; ; n++) {
  const begunAt = nowMs();
  const outcome: CallOutcome = await append(n).then(
    () => 'Executed',
    error => {
      const told: unknown = (error as { outcome?: unknown }).outcome;
      if (by !== 'ioredis' && told !== 'Unknown' && told !== 'NotExecuted')
        say({ type: 'broken', remark: `a write: ${error}` });
      return told === 'NotExecuted' ? 'NotExecuted' : 'Unknown';
    },
  );
  say({ type: 'write', write: { n, begunAt, endedAt: nowMs(), outcome } });
  await sleep(1);
}

async function appendAlone(): Promise<Append> {
  const redis = new Redis({ sentinels: [...sentinels], name: masterName });
  redis.on('error', () => {});
  await redis.ping();
  return n => redis.rpush(`writer${writer}`, n);
}

async function appendBySet(): Promise<Append> {
  const pool = new pg.Pool({ connectionString: settings.store, connectionTimeoutMillis: 1_000 });
  pool.on('error', () => {});
  const authority =
    by === 'leading'
      ? leading({ store: postgresStore({ pool }) })
      : sentinel({
          sentinels: sentinels.map(({ host, port }) => `redis://${host}:${port}`),
          name: masterName,
          newClient,
        });
  const set = await ReplicaSet.connect({
    name: settings.set,
    authority,
    servers: redisServers({ servers, newClient, acknowledge: settings.acknowledge }),
    timeoutMs: 15_000,
  });
  return async n => {
    const session = new Session();
    await set.write(db => db.rpush(`writer${writer}`, n), { session });
    const last = await set
      .read(db => db.lrange(`writer${writer}`, -1, -1), { session })
      .catch(error => [String(error)]);
    if (last[0] !== String(n)) say({ type: 'broken', remark: `a session read saw ${last[0]} after ${n}` });
  };
}
