import type { Executor } from '@ashlar/replica-failover/executor';
import { memoryStore } from '@ashlar/store';
import type pg from 'pg';
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { InvalidQueryError, ShardFailedError, ShardRouter } from '../../../src/index.ts';
import { readyRouter } from '../../support/ready-router.ts';
import { databases, shardNames } from '../databases.ts';

const tables = {
  events: {
    key: ['tenant'],
    primaryKey: ['tenant', 'id'],
    columns: { tenant: 'int8', id: 'int4', note: 'text' },
  },
} as const;

const postgres = databases('CREATE TABLE events (tenant int8, id int4, note text, PRIMARY KEY (tenant, id))');

describe('streams over shards of PostgreSQL', () => {
  let clients: Record<string, pg.Client>;
  const rows = 4_000;

  const opened = (shards: Readonly<Record<string, Executor<pg.Client>>> = postgres.shards) =>
    readyRouter(store => new ShardRouter({ shards, store, key: 'int8', tables }));

  beforeAll(async () => {
    clients = Object.fromEntries(
      await Promise.all(shardNames.map(async name => [name, await postgres.client(name)])),
    );
    const store = memoryStore();
    const router = new ShardRouter({ shards: postgres.shards, store, key: 'int8', tables });
    await router.ready();
    const byShard: Record<string, { tenant: number; id: number; note: string }[]> = {
      one: [],
      two: [],
      three: [],
      four: [],
    };
    for (let tenant = 0; tenant < 40; tenant++) {
      const its = Array.from({ length: rows / 40 }, (_, id) => ({ tenant, id, note: `${tenant}:${id}` }));
      byShard[router.route(tenant).shard]!.push(...its);
    }
    for (const its of Object.values(byShard)) await router.table('events').insert(its);
    await router.close();
    await store.close();
  });

  /** What our connections do on the servers, but for those that rest. */
  async function busy(): Promise<string[]> {
    const found: string[] = [];
    for (const [name, client] of Object.entries(clients)) {
      const { rows: states } = await client.query(
        `SELECT state, query FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
          AND state <> 'idle' AND query NOT LIKE 'LOCK%' AND query NOT LIKE '%"isReplica"%'`, // not the looks of the sets
      );
      found.push(...states.map(({ state, query }) => `${name}: ${state}: ${query}`));
    }
    return found;
  }

  async function connections(): Promise<Set<number>> {
    const { rows: all } = await clients['one']!.query(
      `SELECT pid FROM pg_stat_activity WHERE datname = ANY($1) AND pid <> pg_backend_pid()`,
      [shardNames],
    );
    return new Set(all.map(({ pid }) => pid));
  }

  it('returns all rows in order, however small the batches, and gives the connections back', async () => {
    const router = await opened();
    const query = router.table('events').select('tenant', 'id').orderBy('id', 'desc').everywhere();
    const all: { tenant: bigint; id: number }[] = [];
    for await (const row of query.stream({ batchRows: 100 })) all.push(row);
    expect(all).toHaveLength(rows);
    expect(all.map(({ id }) => id)).toEqual(all.map(({ id }) => id).sort((a, b) => b - a));
    expect(await busy()).toEqual([]);
  });

  it('fetches no more than its reader takes, and uses the same connections again after a break', async () => {
    const fetches: string[] = [];
    const counted = Object.fromEntries(
      Object.entries(postgres.shards).map(([name, set]) => [
        name,
        {
          read: (work, scope) =>
            set.read(client => {
              const query = (text: string, values?: unknown[]) => {
                if (text.startsWith('FETCH')) fetches.push(name);
                return client.query(text, values);
              };
              return work({ query } as unknown as pg.Client);
            }, scope),
          write: (work, scope) => set.write(work, scope),
          transaction: (work, scope) => set.transaction(work, scope),
        } satisfies Executor<pg.Client>,
      ]),
    );
    const router = await opened(counted);
    const query = router.table('events').select('id').orderBy('id').everywhere();
    let before: Set<number> | undefined;
    for (let turn = 0; turn < 10; turn++) {
      fetches.length = 0;
      let taken = 0;
      for await (const _ of query.stream({ batchRows: 10 })) if (++taken === 25) break;
      // Per shard: what was merged, the batch that is ready, and the one ahead
      expect(fetches.length).toBeLessThanOrEqual(4 * 4);
      await expect.poll(busy).toEqual([]);
      before ??= await connections();
    }
    const added = [...(await connections())].filter(pid => !before!.has(pid));
    expect(added.length).toBeLessThanOrEqual(4);
  });

  it('streams within a transaction, which goes on when its reader stops', async () => {
    const router = await opened();
    const ids = await router.transaction(7, async transaction => {
      const query = transaction.table('events').select('id').where({ tenant: 7 }).orderBy('id');
      const seen: number[] = [];
      for (let turn = 0; turn < 3; turn++) {
        for await (const { id } of query.stream({ batchRows: 2 })) {
          seen.push(id);
          if (id === 2) break;
        }
      }
      return [...seen, (await query.all()).length];
    });
    expect(ids).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2, rows / 40]);
    expect(await busy()).toEqual([]);
  });

  /** Keeps others from the table of a shard until the test is over. */
  async function locked(name: string): Promise<pg.Client> {
    const locker = await postgres.client(name);
    await locker.query('BEGIN');
    onTestFinished(async () => void (await locker.query('ROLLBACK')));
    await locker.query('LOCK TABLE events');
    return locker;
  }

  it('ends at once when it is aborted, also on the server', async () => {
    const router = await opened();
    const locker = await locked('two');
    const stop = new AbortController();
    const query = router.table('events').select('id').orderBy('id').everywhere();
    const running = query.all({ signal: stop.signal });
    const isWaiting = async () => expect((await busy()).join()).toContain('two: active: DECLARE');
    await vi.waitFor(isWaiting, { timeout: 10_000 });
    const reason = new Error('enough');
    stop.abort(reason);
    await expect(running).rejects.toBe(reason);
    expect(await busy()).toEqual([]);
    await locker.query('ROLLBACK');
    await expect(query.all({ signal: stop.signal })).rejects.toBe(reason);
    expect(await query.all()).toHaveLength(rows);
  });

  it('leaves nothing on the server of a shard that is late', async () => {
    const router = await opened();
    await locked('two');
    const query = router.table('events').select('id').orderBy('id').everywhere();
    const late = query.all({ timeoutMs: 300 });
    await expect(late).rejects.toMatchObject({
      shard: 'two',
      cause: { code: 'ASHLAR_REPLICA_FAILOVER_TIMEOUT' },
    });
    await vi.waitFor(async () => expect(await busy()).toEqual([]), { timeout: 10_000 });
  });

  it('fails when a connection is lost in the midst, whose rows another snapshot could not go on with', async () => {
    const router = await opened();
    const query = router.table('events').select('tenant').orderBy('tenant').everywhere();
    const read = async (onShardError: 'fail' | 'partial') => {
      let isKilled = false;
      let count = 0;
      const missing: { shard: string }[] = [];
      for await (const _ of query.stream({ batchRows: 10, onShardError }, missing as never)) {
        count++;
        if (isKilled) continue;
        isKilled = true;
        // It may still fetch ahead
        const kill = async () => {
          const { rowCount } = await clients['three']!.query(
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'three' AND query LIKE 'FETCH%' AND state LIKE 'idle in%'`,
          );
          expect(rowCount).toBe(1);
        };
        await vi.waitFor(kill, { timeout: 30_000 });
      }
      return { count, missing: missing.map(({ shard }) => shard) };
    };
    await expect(read('fail')).rejects.toThrow(ShardFailedError);
    const { count, missing } = await read('partial');
    expect(missing).toEqual(['three']);
    expect(count).toBeLessThan(rows);
    expect(await busy()).toEqual([]);
    expect(await query.all()).toHaveLength(rows);
  });

  it('fails with a shard that fails and stops the others, or goes on without it and says so', async () => {
    const router = await opened();
    const query = router.table('events').select('tenant').orderBy('tenant').everywhere();
    await clients['three']!.query('ALTER TABLE events RENAME TO gone');
    try {
      const failed = query.all();
      await expect(failed).rejects.toThrow(ShardFailedError);
      await expect(failed).rejects.toMatchObject({ shard: 'three', cause: { code: '42P01' } });
      expect(await busy()).toEqual([]);
      const answer = await query.all({ onShardError: 'partial' });
      expect(answer.missing).toEqual([{ shard: 'three', error: expect.objectContaining({ code: '42P01' }) }]);
      expect(new Set(answer.map(({ tenant }) => router.route(tenant).shard))).toEqual(
        new Set(['one', 'two', 'four']),
      );
      const [counted] = await router
        .table('events')
        .aggregate({ n: { count: '*' } })
        .everywhere()
        .all({ onShardError: 'partial' });
      expect(counted!.n).toBe(BigInt(answer.length));
      expect(await busy()).toEqual([]);
    } finally {
      await clients['three']!.query('ALTER TABLE gone RENAME TO events');
    }
    const all = await query.all({ onShardError: 'partial' });
    expect(all).toHaveLength(rows);
    expect(all.missing).toEqual([]);
  });

  it('pages through all rows, and refuses what is no cursor of it', async () => {
    const router = await opened();
    const events = router.table('events');
    const query = events.select('tenant', 'note').orderBy('id').everywhere();
    const seen = new Set<string>();
    let after: string | undefined;
    do {
      const page = await query.page({ size: 999, after });
      for (const { note } of page.rows) seen.add(note!);
      after = page.next;
    } while (after !== undefined);
    expect(seen.size).toBe(rows);
    const { next } = await query.page({ size: 1 });
    await expect(events.select().everywhere().page({ size: 1, after: next })).rejects.toThrow(
      InvalidQueryError,
    );
    const fake = (parts: unknown) => Buffer.from(JSON.stringify(parts)).toString('base64url');
    const [version, shape] = JSON.parse(Buffer.from(next!, 'base64url').toString());
    for (const each of [
      '',
      'nonsense',
      fake([]),
      fake([version, shape, '1 OR true', '1', '1']),
      fake([version, shape, 1, 2, 3]),
    ]) {
      await expect(query.page({ size: 1, after: each })).rejects.toThrow(InvalidQueryError);
    }
    const long = 'x'.repeat(3_000);
    await events.insert([
      { tenant: 1, id: 1_000, note: long },
      { tenant: 1, id: 1_001, note: long },
    ]);
    const byNote = events.select().where({ tenant: 1, note: long }).orderBy('note');
    await expect(byNote.page({ size: 1 })).rejects.toThrow('order by shorter columns');
    await events.delete().where({ tenant: 1, note: long }).run();
  });
});
