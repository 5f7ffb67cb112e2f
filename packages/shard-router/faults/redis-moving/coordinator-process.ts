import { postgresStore } from '@ashlar/store/postgres';
import pg from 'pg';
import { redisMoves } from '../../src/adapters/redis.ts';
import { Mover } from '../../src/moves/mover.ts';
import type { MoveRequest } from '../../src/moves/planner.ts';
import { worked } from '../moving/coordinating.ts';
import { limits } from '../moving/limits.ts';
import { connected, type Settings } from './roles.ts';

const { store, request, ...settings } = JSON.parse(process.argv[2]!) as Settings & {
  readonly request: MoveRequest;
};
const pool = new pg.Pool({ connectionString: store });
pool.on('error', () => {});
const shards = await connected(settings.shards);
const mover = new Mover({
  backend: redisMoves({ shards }),
  store: postgresStore({ pool }),
  tables: {},
  shards,
  ...limits,
});
await worked(mover, request);
process.exit();
