import { seededRandom } from '@ashlar/core';
import { postgresStore } from '@ashlar/store/postgres';
import pg from 'pg';
import { expect, it, onTestFinished } from 'vitest';
import { kinds } from '../../../../faults/moving/kinds.ts';
import { run } from '../../../../faults/moving/running.ts';
import { FourShards } from '../../../../faults/postgres-moving/shards.ts';
import { Maps } from '../../../../src/map/maps.ts';

// What is lost is asked, not how long a pause is: processes of this test have more patience
process.env['BUSY'] = '1';

it('a move of 50 000 of 200 000 rows between four servers whose process is killed is ended by another, while two processes write and read and one writes past them', async () => {
  await using place = await FourShards.start(100_000, 0);
  const pool = new pg.Pool({ connectionString: place.settings.store });
  pool.on('error', () => {});
  const store = postgresStore({ pool, timeoutMs: 10_000 });
  onTestFinished(async () => {
    await store.close();
    await pool.end();
  });
  await store.migrate();
  const killed = kinds.find(({ name }) => name === 'coordinator-killed')!;
  const { words, operations, ...found } = await run(
    killed,
    place,
    new Maps(store, 'shards'),
    seededRandom(7),
  );
  expect(found, words).toMatchObject({ lost: 0, duplicated: 0, twoPlaces: 0, stale: 0, remarks: [] });
  expect(operations).toBeGreaterThan(10);
}, 600_000);
