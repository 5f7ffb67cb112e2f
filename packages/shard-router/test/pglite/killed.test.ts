import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Peer } from '@workspace/services';
import { expect, it, onTestFinished } from 'vitest';
import { pgliteMoves } from '../../src/adapters/pglite.ts';
import { context, run } from '../../src/conformance/steps.ts';
import { isFenceRefusal } from '../../src/running/refusals.ts';
import { move, moved, opened } from './things.ts';

it.each(['copy', 'fence'] as const)(
  'a move of databases on disk, whose process is killed in its %s, is run to its end by another',
  async at => {
    const folder = await mkdtemp(join(tmpdir(), 'pglite-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const folders = { one: join(folder, 'one'), two: join(folder, 'two') };
    const peer = new Peer(new URL('./moving-process.ts', import.meta.url), { folders, at });
    onTestFinished(() => peer.end());
    expect(await peer.next()).toBe('there');
    await peer.end();
    const { one, two } = await opened(folders);
    onTestFinished(async () => {
      await one.close();
      await two.close();
    });
    const moves = pgliteMoves({ shards: { one: { db: one }, two: { db: two } }, batch: 4 });
    const write = (db: typeof one, n: number) =>
      db.query('UPDATE things SET n = $2 WHERE id = $1', [moved[0], n]);
    if (at === 'fence') {
      // The fence is in the database: it holds though nobody runs the move
      expect(await write(one, 0).catch(isFenceRefusal)).toBe(true);
      await run(moves, move, { from: 'fence', token: 2n });
    } else {
      await write(one, 1_000);
      await run(moves, move, { token: 2n });
    }
    const { rows } = await two.query('SELECT id, n::int AS n FROM things ORDER BY id COLLATE "C"');
    const last = at === 'fence' ? 5 : 1;
    expect(rows).toEqual(moved.map((id, n) => ({ id, n: n < last ? 1_000 : n })));
    expect(await write(one, 0).catch(isFenceRefusal)).toBe(true);
    await write(two, 7);
    await moves.finish(move, context(2n));
    expect((await one.query('SELECT FROM things')).rows).toEqual([]);
    for (const shard of ['one', 'two']) expect(await moves.leaks(shard, [])).toEqual([]);
  },
  300_000,
);
