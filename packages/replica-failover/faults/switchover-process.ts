import { postgresStore } from '@ashlar/store/postgres';
import pg from 'pg';
import { postgresServers } from '../src/adapters/postgres.ts';
import { redisServers } from '../src/adapters/redis.ts';
import { leading, ReplicaSet, type Server } from '../src/index.ts';
import { newClient } from './redis/replication.ts';
import { Steps } from './steps.ts';
import type { HandsOver, SwitchoverSettings } from './switchover.ts';

const {
  backend,
  set: name,
  servers,
  store: storeUrl,
  strike,
} = JSON.parse(process.argv[2]!) as SwitchoverSettings;
const say = (message: HandsOver) => process.send!(message);

const pool = new pg.Pool({ connectionString: storeUrl, connectionTimeoutMillis: 1_000 });
pool.on('error', () => {});
const steps = new Steps(strike, step => say({ type: 'struck', step }));
steps.listen();
const newPgClient = (connectionString: string) => new pg.Client({ connectionString });
const all: readonly Server<unknown>[] =
  backend === 'postgres'
    ? postgresServers({ servers, newClient: newPgClient })
    : redisServers({ servers, newClient, acknowledge: 1 });
const set = await ReplicaSet.connect({
  name,
  authority: leading({ store: steps.ofStore(postgresStore({ pool })) }),
  servers: steps.ofServers(all),
});
say({ type: 'ready' });

process.once('message', async () => {
  const end = await set.switchover().then(
    () => 'done',
    error => String(error),
  );
  say({ type: 'over', end });
});
setInterval(() => {}, 60_000); // until it is ended
