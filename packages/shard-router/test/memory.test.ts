import { describe, expect, it } from 'vitest';
import { WrongShardError } from '../src/errors/routing.ts';
import { DuplicateRowError, ShardTimeoutError } from '../src/errors/statements.ts';
import { type MemoryClient, MemoryShard, memoryShards } from '../src/memory/memory-shard.ts';
import type { Statement } from '../src/tables/statement.ts';
import type { TableSpec } from '../src/tables/table.ts';
import { Table } from '../src/tables/table-of.ts';

const orders = {
  key: ['tenant'],
  primaryKey: ['tenant', 'id'],
  columns: { tenant: 'int8', id: 'int4', note: 'text' },
} as const satisfies TableSpec;
const table = new Table('orders', orders, 'int8');
const all = { slices: [{ from: 0, to: 16 }], key: 'int8', slots: 16, tables: { orders } } as const;

const insert = (tenant: bigint, id: number, note: string | null = null): Statement => ({
  kind: 'insert',
  table,
  rows: [{ tenant, id, note }],
  onConflict: 'fail',
});
const select: Statement = {
  kind: 'select',
  table,
  columns: ['tenant', 'id', 'note'],
  where: [],
  orderBy: [{ column: 'id', descending: false, nulls: 'last' }],
  limit: undefined,
};
const remove: Statement = { kind: 'delete', table, where: [] };
const idsIn = async (shard: MemoryShard) =>
  (await shard.read(db => db.execute(select))).rows.map(row => row['id']);

describe('a memory shard', () => {
  it('runs transactions one after another, and shows nothing of them before they commit', async () => {
    const shard = new MemoryShard('a');
    const seen: unknown[] = [];
    await Promise.all([
      shard.transaction(async db => {
        await db.execute(insert(1n, 1));
        seen.push(await idsIn(shard), (await db.execute(select)).count);
      }),
      shard.transaction(async db => {
        seen.push((await db.execute(select)).count);
        await db.execute(insert(1n, 2));
      }),
      shard.write(db => db.execute(insert(1n, 3))),
    ]);
    expect(seen).toEqual([[], 1, 1]);
    expect(await idsIn(shard)).toEqual([1, 2, 3]);
  });

  it('undoes a transaction whose work throws, or passes over a statement that failed', async () => {
    const shard = new MemoryShard('a');
    await shard.write(db => db.execute(insert(1n, 1)));
    const boom = new Error('boom');
    const thrown = shard.transaction(async db => {
      await db.execute(remove);
      throw boom;
    });
    await expect(thrown).rejects.toBe(boom);
    const passedOver = shard.transaction(async db => {
      await db.execute(remove);
      await db.execute(insert(1n, 2));
      await db.execute(insert(1n, 2)).catch(() => {});
      await expect(db.execute(select)).rejects.toThrow(DuplicateRowError);
    });
    await expect(passedOver).rejects.toThrow(DuplicateRowError);
    expect(await idsIn(shard)).toEqual([1]);
  });

  it('is free again when a call was aborted or is late, and such a call changes nothing', async () => {
    const shard = new MemoryShard('a');
    const stop = new AbortController();
    let late: MemoryClient | undefined;
    const aborted = shard.transaction(
      async db => {
        late = db;
        await db.execute(insert(1n, 1));
        stop.abort(new Error('enough'));
        await new Promise(() => {});
      },
      { signal: stop.signal },
    );
    const waits = shard.write(db => db.execute(insert(1n, 2)));
    await expect(aborted).rejects.toThrow('enough');
    await waits;
    await expect(late!.execute(insert(1n, 3))).rejects.toThrow('over');
    const hangs = shard.transaction(() => new Promise(() => {}), { timeoutMs: 5 });
    await expect(hangs).rejects.toThrow(ShardTimeoutError);
    expect(await idsIn(shard)).toEqual([2]);
  });

  it('says of a write that is late whether it may have been executed', async () => {
    const shard = new MemoryShard('a');
    const lateAfter = (written: boolean) =>
      shard.write(
        async db => {
          if (written) await db.execute(insert(1n, 1));
          await new Promise(() => {});
        },
        { timeoutMs: 20 },
      );
    const code = 'ASHLAR_SHARD_ROUTER_TIMEOUT';
    await expect(lateAfter(false)).rejects.toMatchObject({ code, outcome: 'NotExecuted', retryable: true });
    expect(await idsIn(shard)).toEqual([]);
    await expect(lateAfter(true)).rejects.toMatchObject({ code, outcome: 'Unknown', retryable: false });
    expect(await idsIn(shard)).toEqual([1]);
  });

  it('lets no write of fenced rows pass once the fence is closed, and waits for those that are open', async () => {
    const { a } = memoryShards(['a']);
    const order: string[] = [];
    const open = a.transaction(async db => {
      await db.execute(insert(1n, 1));
      await Promise.resolve();
      order.push('written');
    });
    await Promise.all([open, a.fence('move', all).then(() => order.push('closed'))]);
    expect(order).toEqual(['written', 'closed']);
    for (const statement of [insert(1n, 2), remove, { kind: 'truncate', table } as const]) {
      await expect(a.write(db => db.execute(statement))).rejects.toThrow(WrongShardError);
      await expect(a.transaction(db => db.execute(statement))).rejects.toThrow(WrongShardError);
    }
    expect(await idsIn(a)).toEqual([1]);
    const row = { tenant: 1n, id: 2, note: null };
    await a.apply(all, [{ table: 'orders', key: row, row }]);
    expect(await idsIn(a)).toEqual([1, 2]);
    a.unfence('move');
    await a.write(db => db.execute(remove));
    expect(await idsIn(a)).toEqual([]);
  });

  it('feeds another shard with a snapshot and with what was committed after it', async () => {
    const { a, b } = memoryShards(['a', 'b']);
    await a.write(db => db.execute(insert(1n, 1)));
    const feed = a.openFeed('move', all);
    const { rows, position } = a.snapshot(all);
    await b.apply(
      all,
      rows.map(({ table: name, row }) => ({ table: name, key: row, row })),
    );
    const never = new AbortController();
    const changed = feed.changed(never.signal);
    await a.transaction(async db => {
      await db.execute(remove);
      await db.execute(insert(2n, 1, 'new'));
      await db.execute(insert(2n, 2, 'made and removed'));
      await db.execute({ kind: 'delete', table, where: [{ column: 'id', op: '=', value: 2 }] });
    });
    await changed;
    expect(a.openFeed('move', all)).toBe(feed);
    const { commits } = feed;
    expect(commits.map(commit => commit.position)).toEqual([position + 1]);
    await b.apply(all, commits[0]!.changes);
    feed.confirm(position + 1);
    expect(feed.commits).toEqual([]);
    expect((await b.read(db => db.execute(select))).rows).toEqual([{ tenant: 2n, id: 1, note: 'new' }]);
    // What came by replication does not go back
    expect(b.openFeed('back', all).commits).toEqual([]);
    const stop = new AbortController();
    const waiting = feed.changed(stop.signal);
    stop.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });
});
