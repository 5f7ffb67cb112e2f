import { memoryStore } from '@ashlar/store';
import { type Bench, type Figures, figures, median, noiseFloor } from '@workspace/bench';
import { type Databases, shardNames, startDatabases } from '../faults/differential/databases.ts';
import { ShardRouter } from '../src/index.ts';

const rows = 200_000;
const rounds = 60;

const tables = {
  events: {
    key: ['tenant'],
    primaryKey: ['tenant', 'id'],
    columns: { tenant: 'int8', id: 'int4', score: 'float8', note: 'text' },
  },
} as const;

const ddl = `CREATE TABLE events (tenant int8, id int4, score float8, note text, PRIMARY KEY (tenant, id))`;

/** The hundred best of 200 000 rows: over four shards, and out of one database that has all of them. */
export const topRows: readonly Bench[] = [true, false].map(hasIndex => {
  const name = `top 100 of ${rows} rows, ${hasIndex ? 'with' : 'without'} an index`;
  return figures(name, 'ms, median', async (): Promise<Figures> => {
    await using databases = await startDatabases(ddl);
    await fill(databases, hasIndex);
    const store = memoryStore();
    const router = new ShardRouter({ shards: databases.shards, store, key: 'int8', tables });
    await router.ready();
    const query = router.table('events').select().orderBy('score', 'desc').limit(100).everywhere();
    const whole = await databases.client('whole');
    const sql = 'SELECT tenant, id, score, note FROM events ORDER BY score DESC, tenant, id LIMIT 100';
    const works = [() => query.all(), () => query.all(), () => whole.query(sql)];
    const samples: number[][] = works.map(() => []);
    for (let round = 0; round < rounds; round++) {
      for (let turn = 0; turn < works.length; turn++) {
        const at = (turn + round) % works.length;
        const before = performance.now();
        await works[at]!();
        if (round >= 10) samples[at]!.push(performance.now() - before);
      }
    }
    await router.close();
    await store.close();
    const [value, same, one] = samples.map(median) as [number, number, number];
    return { ours: ['four shards', value], peers: { [noiseFloor]: same, 'one database': one } };
  });
});

async function fill(databases: Databases, hasIndex: boolean): Promise<void> {
  const { slots, shard } = { slots: 1_024, shard: (i: number) => [...shardNames].sort()[i]! };
  const source = `SELECT n % 1000 AS tenant, n / 1000 AS id, ((n * 7919::int8) % 100003)::float8 AS score, 'note ' || n AS note
    FROM generate_series(0, ${rows - 1}) n`;
  for (const [i, database] of [...shardNames.map((_, n) => shard(n)), 'whole'].entries()) {
    const slot = `(hashint8extended(tenant, 0) & ${slots - 1})`;
    const where =
      database === 'whole'
        ? ''
        : ` WHERE ${slot} BETWEEN ${(i * slots) / 4} AND ${((i + 1) * slots) / 4 - 1}`;
    const client = await databases.client(database);
    await client.query(`INSERT INTO events SELECT tenant, id, score, note FROM (${source}) AS each${where}`);
    if (hasIndex) await client.query('CREATE INDEX ON events (score DESC, tenant, id)');
    await client.query('VACUUM ANALYZE events');
  }
}
