import { pgliteMoves } from '../../src/adapters/pglite.ts';
import { context, run, type Step } from '../../src/conformance/steps.ts';
import { ddl, move, moved, opened } from './things.ts';

interface Settings {
  readonly folders: Readonly<Record<'one' | 'two', string>>;
  /** Where it says so, and goes on until it is killed. */
  readonly at: 'copy' | 'fence';
}

const { folders, at } = JSON.parse(process.argv[2]!) as Settings;
const { one, two } = await opened(folders);
for (const db of [one, two]) await db.exec(ddl);
const write = (id: string, n: number) =>
  one.query('INSERT INTO things VALUES ($1, $1, $2) ON CONFLICT (id) DO UPDATE SET n = EXCLUDED.n', [id, n]);
for (const [n, id] of moved.entries()) await write(id, n);
const moves = pgliteMoves({ shards: { one: { db: one }, two: { db: two } }, batch: 4 });
if (at === 'copy') {
  await run(moves, move, { to: 'prepare' });
  await moves.copy(move, { ...context(), progress: () => process.send!('there') });
} else {
  await run(moves, move, { to: 'verify' satisfies Step });
  // What was written last is brought over behind the fence
  for (const id of moved.slice(0, 5)) await write(id, 1_000);
  await run(moves, move, { from: 'fence', to: 'fence' });
  process.send!('there');
}
setInterval(() => {}, 60_000);
