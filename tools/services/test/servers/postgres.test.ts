import pg from 'pg';
import { expect, it } from 'vitest';
import { eventually, startPostgres } from '../../src/index.ts';
import { isAlive, processTree } from '../../src/processes/processes.ts';
import { describeWith } from '../../src/tests/vitest.ts';
import { closing, isPaused, soon } from '../support.ts';

async function query(url: string, sql: string): Promise<unknown[][]> {
  const client = new pg.Client(url);
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows;
  } finally {
    await client.end();
  }
}

describeWith({ own: 'postgres' }, 'PostgreSQL', () => {
  it('replays on the standbys, survives a kill, and is promoted', async () => {
    const postgres = closing(await startPostgres({ standbys: 2, config: { max_connections: 20 } }));
    const streaming = await query(
      postgres.url,
      'SELECT application_name FROM pg_stat_replication ORDER BY 1',
    );
    expect(streaming).toEqual([['standby0'], ['standby1']]);
    expect(await query(postgres.url, 'SHOW max_connections')).toEqual([['20']]);
    await query(postgres.url, 'CREATE TABLE t AS SELECT 1 AS a');
    for (const { url } of postgres.standbys) {
      await eventually(async () => expect(await query(url, 'SELECT a FROM t')).toEqual([[1]]), soon);
    }

    const tree = processTree(postgres.pid);
    expect(tree.length).toBeGreaterThan(3);
    await postgres.kill();
    expect(tree.filter(isAlive)).toEqual([]);
    await postgres.restart();
    expect(await query(postgres.url, 'SELECT a FROM t')).toEqual([[1]]);

    const [promoted] = postgres.standbys;
    await query(promoted!.url, 'SELECT pg_promote()');
    expect(await query(promoted!.url, 'INSERT INTO t VALUES (2) RETURNING a')).toEqual([[2]]);
  });

  it('stands still with all its processes while it is paused', async () => {
    const postgres = closing(await startPostgres({ own: true }));
    postgres.pause();
    await eventually(
      async () => expect(processTree(postgres.pid).filter(isAlive).every(isPaused)).toBe(true),
      soon,
    );
    postgres.resume();
    expect(await query(postgres.url, 'SELECT 1')).toEqual([[1]]);
  });

  it('quotes a setting that PostgreSQL refuses', async () => {
    await expect(startPostgres({ config: { max_connections: 'many' } })).rejects.toThrow(
      /postgres ended \(exit code 1\) before it was ready[\s\S]*max_connections/,
    );
  });
});
