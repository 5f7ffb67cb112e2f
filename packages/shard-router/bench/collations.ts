import { memoryStore } from '@ashlar/store';
import { type Bench, figures, median, noiseFloor } from '@workspace/bench';
import { shardNames, startDatabases } from '../faults/differential/databases.ts';
import { ShardRouter } from '../src/index.ts';

const rows = 20_000;
const rounds = 12;

const tables = {
  people: {
    key: ['id'],
    primaryKey: ['id'],
    columns: { id: 'int8', name: 'text' },
  },
} as const;

const ddl = `CREATE TABLE people (id int8 PRIMARY KEY, name text);
  CREATE INDEX ON people (name COLLATE "C", id); CREATE INDEX ON people (name COLLATE "de-x-icu", id)`;

/** What it costs that a shard ranks the texts that are merged: rows that stream from four shards, in a collation and in `C`. */
export const collations: readonly Bench[] = [
  figures(`stream ${rows} rows in a collation of ICU`, 'µs a row', async () => {
    await using databases = await startDatabases(ddl);
    const store = memoryStore();
    const router = new ShardRouter({ shards: databases.shards, store, key: 'int8', tables });
    await router.ready();
    const source = `SELECT n AS id, md5(n::text) AS name FROM generate_series(1, ${rows}) n`;
    for (const [i, shard] of [...shardNames].sort().entries()) {
      const client = await databases.client(shard);
      const slot = `(hashint8extended(id, 0) & 1023) / 256`;
      await client.query(`INSERT INTO people SELECT * FROM (${source}) AS each WHERE ${slot} = ${i}`);
      await client.query('VACUUM ANALYZE people');
    }
    const streamed = async (collation: string) => {
      let count = 0;
      for await (const _ of router.table('people').select().orderBy('name', { collation }).everywhere())
        count++;
      if (count !== rows) throw new Error(`${count} rows, not ${rows}`);
    };
    const works = [() => streamed('de-x-icu'), () => streamed('de-x-icu'), () => streamed('C')];
    const samples: number[][] = works.map(() => []);
    for (let round = 0; round < rounds; round++) {
      for (let turn = 0; turn < works.length; turn++) {
        const at = (turn + round) % works.length;
        const before = performance.now();
        await works[at]!();
        if (round >= 2) samples[at]!.push(((performance.now() - before) * 1_000) / rows);
      }
    }
    await router.close();
    await store.close();
    const [value, same, inC] = samples.map(median) as [number, number, number];
    return { ours: ['de-x-icu', value], peers: { [noiseFloor]: same, C: inC } };
  }),
];
