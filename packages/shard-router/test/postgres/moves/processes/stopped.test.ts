import { readFile } from 'node:fs/promises';
import { postgresStore } from '@ashlar/store/postgres';
import { Peer } from '@workspace/faults';
import pg from 'pg';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { firstMap } from '../../../../src/map/first-map.ts';
import { Maps } from '../../../../src/map/maps.ts';
import { Mover } from '../../../../src/moves/mover.ts';
import { counts, fill, names, tables, twoShards } from '../../shards.ts';
import type { Settings } from './stopped-process.ts';

const lower = names(20, 'lower');
const upper = names(5, 'upper');
const leaseMs = 2_000;
/** What the first one is told when it wakes up: its lease has ended, another has the move, or its session. */
const late = [
  'ASHLAR_STORE_LEASE_LOST',
  'ASHLAR_SHARD_ROUTER_STALE_MOVE',
  'ASHLAR_SHARD_ROUTER_SHARD_FAILED',
];

vi.setConfig({ testTimeout: 180_000 });

async function place(stops: Settings['stops']) {
  // The map is there too, whose store takes no server that may lose what it acknowledged
  const config = { wal_retrieve_retry_interval: '100ms', fsync: true, full_page_writes: true };
  const shards = await twoShards({ config });
  onTestFinished(async () => shards[Symbol.asyncDispose]());
  await fill(shards.one, [...lower, ...upper], 3);
  const [one, two] = shards.servers;
  const pool = new pg.Pool({ connectionString: one.url });
  pool.on('error', () => {}); // The end of the server may come before that of its sessions
  const store = postgresStore({ pool, timeoutMs: 30_000 });
  onTestFinished(async () => {
    await store.close();
    await pool.end();
  });
  await store.migrate();
  const maps = new Maps(store, 'shards');
  await maps.readOr(firstMap('text', 1024, ['one', 'two']));
  const mover = new Mover({ backend: shards.moves(), store, tables, steadyMs: 0, pauseMs: 60_000, leaseMs });
  onTestFinished(() => mover.close());
  const [{ id }] = (await mover.begin({ kind: 'merge', shards: ['one'], into: 'two' })) as unknown as [
    { id: string },
  ];
  const replication = (port: number) => `host=127.0.0.1 port=${port} user=postgres dbname=postgres`;
  const first = new Peer<string>(new URL('./stopped-process.ts', import.meta.url), {
    urls: { one: one.url, two: two.url },
    replication: { one: replication(one.port), two: replication(two.port) },
    store: one.url,
    move: id,
    leaseMs,
    stops,
  } satisfies Settings);
  onTestFinished(() => first.end());
  await expect.poll(() => stateOf(first.process.pid!), { timeout: 120_000 }).toBe('T');
  expect((await maps.read())!.moves[0]).toMatchObject({ id, step: 'turn' });
  return { shards, maps, mover, id, first };
}

/** One letter: T of a process that is stopped. */
async function stateOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2)[0]!;
}

const write = 'UPDATE customer SET name = $2 WHERE id = $1';

describe.runIf(process.platform === 'linux')(
  'a coordinator that stands still between the fence and the change of the map for longer than its lease',
  () => {
    it.each(['before', 'after'] as const)(
      'changes nothing when it wakes up after another has committed the move (%s the target was opened)',
      async stops => {
        const { shards, maps, mover, id, first } = await place(stops);
        expect(await mover.run(id).done).toMatchObject({ step: 'committed' });
        await shards.two.query(write, [lower[0], 'written at two']);
        const before = await maps.read();
        first.process.kill('SIGCONT');
        expect(await first.next()).toBeOneOf(late);
        expect(await maps.read()).toEqual(before);
        await expect(shards.one.query(write, [lower[0], 'too late'])).rejects.toMatchObject({
          code: 'AS409',
        });
        await shards.two.query(write, [lower[1], 'written at two']);
        expect(await mover.verify(id)).toMatchObject({ differences: [] });
        expect(await mover.rollback(id)).toMatchObject({ step: 'committed', to: 'one' });
        await mover.finish(id);
        expect(await counts(shards.one)).toEqual({ customers: 25, purchases: 75 });
        expect((await mover.status()).leaks).toEqual({ one: [], two: [] });
      },
    );

    it.each(['before', 'after'] as const)(
      'opens nothing when it wakes up after another has undone the move (%s the target was opened)',
      async stops => {
        const { shards, maps, mover, id, first } = await place(stops);
        await mover.abort(id);
        await shards.one.query(write, [lower[0], 'written at one']);
        const before = await maps.read();
        expect(before!.moves).toEqual([]);
        first.process.kill('SIGCONT');
        expect(await first.next()).toBeOneOf(late);
        expect(await maps.read()).toEqual(before);
        expect(await counts(shards.one)).toEqual({ customers: 25, purchases: 75 });
        expect(await counts(shards.two)).toEqual({ customers: 0, purchases: 0 });
        expect((await mover.status()).leaks).toEqual({ one: [], two: [] });
        // And the move can be made anew
        for (const { id: again } of await mover.move({ kind: 'merge', shards: ['one'], into: 'two' }))
          await mover.finish(again);
        expect(await counts(shards.two)).toEqual({ customers: 20, purchases: 60 });
      },
    );
  },
);
