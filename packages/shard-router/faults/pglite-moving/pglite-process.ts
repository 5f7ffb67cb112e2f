import { postgresStore } from '@ashlar/store/postgres';
import { say } from '@workspace/faults';
import pg from 'pg';
import { type PGliteClient, pgliteMoves, pgliteShard } from '../../src/adapters/pglite.ts';
import { Mover } from '../../src/moves/mover.ts';
import { ShardRouter } from '../../src/router.ts';
import { worked } from '../moving/coordinating.ts';
import { customerName, nowMs } from '../moving/roles.ts';
import { type Works, work } from '../moving/working.ts';
import { dying, type Message, type Name, names, opened, type Settings, tables } from './roles.ts';

const { folders, store: url, request, dies, ...settings } = JSON.parse(process.argv[2]!) as Settings;
const databases = await opened(folders);
const pool = new pg.Pool({ connectionString: url });
pool.on('error', () => {});
const store = postgresStore({ pool, timeoutMs: 10_000 });
const shards = { one: pgliteShard({ db: databases.one }), two: pgliteShard({ db: databases.two }) };
const router = new ShardRouter({ shards, store, key: 'text', leaseMs: 4_000, timeoutMs: 60_000 });
await router.ready();

/** The databases are in this process, and answer without a turn of the event loop: others have theirs in between. */
const turn = () => new Promise(resolve => setImmediate(resolve));

const works: Works<PGliteClient> = {
  levels: ['session', 'strong'],
  async write(shard, customer, id, scope) {
    await turn();
    return shard.transaction(async db => {
      await db.query('INSERT INTO purchase VALUES ($1, $2)', [customer, id]);
      await db.query('UPDATE customer SET n = n + 1 WHERE id = $1', [customer]);
    }, scope);
  },
  async count(shard, customer, id, scope) {
    await turn();
    return shard.read(async db => {
      const text = 'SELECT count(*)::int AS count FROM purchase WHERE customer = $1 AND id = $2';
      return (await db.query(text, [customer, id])).rows[0].count as number;
    }, scope);
  },
};
// More at once would leave the mover no turn, as all share one process
void work(router, settings, works, 3);
for (const name of names) void past(name);

const backend = pgliteMoves({
  shards:
    dies === undefined ? { one: { db: databases.one }, two: { db: databases.two } } : dying(databases, dies),
  batch: 40,
});
// How long writes are paused is not asked: all share one process
const patient = {
  leaseMs: 4_000,
  routersMs: 60_000,
  steadyMs: 0,
  lagMs: 30_000,
  pauseMs: 60_000,
  fenceMs: 10_000,
};
await worked(new Mover({ backend, store, tables, ...patient }), request);

/** Writes a few rows past the router, wherever they are: a fence is all that is in its way. */
async function past(at: Name): Promise<void> {
  for (let n = 0; ; n++) {
    const customer = customerName(n % Math.min(10, settings.customers));
    const begunAt = nowMs();
    const written = await databases[at]
      .query('UPDATE customer SET direct = direct + 1 WHERE id = $1', [customer])
      .catch(() => undefined);
    if (written?.affectedRows === 1)
      say<Message>({ type: 'let in', write: { customer, at, begunAt, endedAt: nowMs() } });
    await new Promise(resolve => setTimeout(resolve, 10));
  }
}
