import { ended } from '@workspace/services';
import { commandLine } from '@workspace/services/command-line';
import { describe, expect, it } from 'vitest';

const dist = new URL('../../dist/', import.meta.url);
const cli = commandLine(new URL('cli/main.js', dist));
const run = (...args: readonly string[]) => cli.run(args);
const store = new URL('../../../store/dist/index.js', import.meta.url);

/** A module with two shards in memory that have rows of a hundred tenants, and a third, empty one. */
function config(name: string, more = ''): string {
  const text = `
    import { memoryMoves, memoryShards, Mover, ShardRouter } from ${JSON.stringify(new URL('index.js', dist))};
    import { memoryStore } from ${JSON.stringify(store)};
    const shards = memoryShards(['one', 'two', 'three']);
    const tables = { notes: { key: ['tenant'], primaryKey: ['tenant'], columns: { tenant: 'int8', text: 'text' } } };
    const store = memoryStore();
    const { three, ...first } = shards;
    const early = new ShardRouter({ shards: first, store, key: 'int8', slots: 64, tables });
    await early.ready();
    await early.close();
    const router = new ShardRouter({ shards, store, key: 'int8', slots: 64, tables });
    await router.ready();
    for (let tenant = 0; tenant < 100; tenant++) await router.table('notes').insert({ tenant, text: 'here' });
    export const mover = new Mover({ store, tables, backend: memoryMoves({ shards }), steadyMs: 0 });
    export const close = () => router.close();
    ${more}
  `;
  return cli.file(`${name}.mjs`, text);
}

describe('the command line', () => {
  it('says what it can do', async () => {
    expect(await run('--help')).toMatchObject({ code: 0, stdout: expect.stringContaining('rollback') });
    expect(await run('move', '--help')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('--split'),
    });
  });

  it('plans, and says what stands in the way', async () => {
    const file = config('plan');
    const { code, stdout } = await run('plan', '--config', file, '--add', 'three');
    expect({ code, lines: stdout.trimEnd().split('\n').length }).toEqual({ code: 0, lines: 3 });
    const { stdout: text } = await run(
      'plan',
      '--config',
      file,
      '--split',
      'one',
      '--into',
      'three',
      '--json',
    );
    expect(JSON.parse(text)).toMatchObject([{ from: 'one', to: 'three', slices: [{ from: 16, to: 32 }] }]);
    const refused = await run('plan', '--config', file, '--from', 'one', '--into', 'four', '--slots', '0-3');
    expect(refused).toMatchObject({ code: 1, stdout: expect.stringContaining('do not know the shard four') });
  });

  it('moves slots, and says how far it is', async () => {
    const args = ['--config', config('move'), '--drain', 'two'];
    const { code, stdout, stderr } = await run('move', ...args);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stdout).toMatch(/two +one +32-63 +committed/);
    for (const step of ['copy', 'verify', 'cutover', 'turn: no writes for', 'committed'])
      expect(stderr).toContain(step);
  });

  it('isolates a key, and shows which slot it has', async () => {
    const file = config('isolate');
    const { code, stdout } = await run('plan', '--config', file, '--isolate', '7', '--into', 'three');
    expect(code).toBe(0);
    expect(stdout).toMatch(/(one|two) +three +65 +1 +100/);
    const begun = config('placed', `await mover.begin({ kind: 'place', key: 7, to: 'three' });`);
    const status = await run('status', '--config', begun);
    expect(status.stdout).toMatch(/65: of hash \d+ the key "7" alone/);
    const refused = await run('plan', '--config', file, '--isolate', 'seven');
    expect(refused).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('must be an integer, got "seven"'),
    });
  });

  it('joins the slot of a key to that of the others', async () => {
    const file = config(
      'join',
      `await mover.begin({ kind: 'place', key: 7, to: router.route(7).shard });
       const begin = mover.begin.bind(mover);
       mover.begin = async request => {
         const moves = await begin(request);
         console.log(JSON.stringify((await mover.map()).joins));
         return moves;
       };`,
    );
    const { code, stdout } = await run('move', '--config', file, '--join', '7');
    expect(code).toBe(0);
    expect(stdout).toBe('[{"slot":65,"into":64}]\ndone\n');
    const wrong = await run('move', '--config', file, '--join', 'seven');
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('must be an integer') });
  });

  it('forgets a key of a directory, unless there are rows of it', async () => {
    const text = (more: string) => `
      import { memoryMoves, memoryShards, Mover, ShardRouter } from ${JSON.stringify(new URL('index.js', dist))};
      import { memoryStore } from ${JSON.stringify(store)};
      const shards = memoryShards(['one', 'two']);
      const tables = { notes: { key: ['tenant'], primaryKey: ['tenant'], columns: { tenant: 'int8' } } };
      const store = memoryStore();
      const layout = { kind: 'directory', entries: [{ key: 7, shard: 'one' }, { key: 8, shard: 'two' }] };
      const router = new ShardRouter({ shards, store, key: 'int8', tables, layout });
      await router.ready();
      ${more}
      export const mover = new Mover({ store, tables, backend: memoryMoves({ shards }) });
      export const close = async () => {
        console.log(JSON.stringify((await mover.map()).layout.entries));
        await router.close();
      };
    `;
    const empty = cli.file('empty.mjs', text(''));
    const forgot = await run('forget', '--config', empty, '--key', '7');
    expect(forgot).toMatchObject({ code: 0, stdout: 'done\n[{"key":["8"],"slot":1}]\n' });
    const filled = cli.file('filled.mjs', text("await router.table('notes').insert({ tenant: 7 });"));
    const refused = await run('forget', '--config', filled, '--key', '7');
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('one has rows of it in notes'),
    });
    expect(await run('forget', '--config', filled, '--key', '7', '--keep-rows')).toMatchObject({ code: 0 });
    const both = `await new Mover({ store, tables, backend: memoryMoves({ shards }) }).forget(7, { rows: 'keep' });`;
    const left = cli.file('left.mjs', text(`await router.table('notes').insert({ tenant: 7 }); ${both}`));
    const purged = await run('purge', '--config', left, '--key', '7', '--shard', 'one');
    expect(purged).toMatchObject({ code: 0, stdout: expect.stringContaining('1 rows deleted') });
  });

  it('moves whole tables', async () => {
    const text = `
      import { memoryMoves, memoryShards, Mover, ShardRouter } from ${JSON.stringify(new URL('index.js', dist))};
      import { memoryStore } from ${JSON.stringify(store)};
      const shards = memoryShards(['main', 'log']);
      const spec = { key: [], primaryKey: ['id'], columns: { id: 'int8' } };
      const tables = { events: spec, notes: spec, orders: spec };
      const store = memoryStore();
      const layout = { kind: 'tables', tables: { events: 'main', notes: 'main', orders: 'main' } };
      const router = new ShardRouter({ shards, store, key: 'text', tables, layout });
      await router.ready();
      await router.table('events').insert({ id: 1 });
      export const mover = new Mover({ store, tables, backend: memoryMoves({ shards }), steadyMs: 0 });
      export const close = async () => {
        console.log('events on ' + router.route('events').shard + ', orders on ' + router.route('orders').shard);
        await router.close();
      };
    `;
    const file = cli.file('tables.mjs', text);
    const planned = await run(
      'plan',
      '--config',
      file,
      '--tables',
      'events,notes',
      '--into',
      'log',
      '--json',
    );
    expect(JSON.parse(planned.stdout.slice(0, planned.stdout.lastIndexOf('events on')))).toMatchObject([
      {
        from: 'main',
        to: 'log',
        tables: [
          { table: 'events', rows: 1 },
          { table: 'notes', rows: 0 },
        ],
      },
    ]);
    const { code, stdout } = await run('move', '--config', file, '--tables', 'events,notes', '--into', 'log');
    expect(code).toBe(0);
    expect(stdout).toContain('events on log, orders on main');
    const refused = await run('plan', '--config', config('hash'), '--tables', 'notes', '--into', 'two');
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('no whole tables') });
  });

  it('shows the map and its moves', async () => {
    const file = config(
      'begun',
      `const [{ id }] = await mover.begin({ kind: 'merge', shards: ['two'], into: 'three' });`,
    );
    const { code, stdout } = await run('status', '--config', file);
    expect(code).toBe(0);
    expect(stdout).toMatch(/one +0-31\ntwo +32-63/);
    expect(stdout).toMatch(/[0-9a-f]{16} +two +three +32-63 +prepare/);
    const { stdout: json } = await run('status', '--config', file, '--json');
    expect(JSON.parse(json)).toMatchObject({ map: { epoch: 1, moves: [{ step: 'prepare' }] }, leaks: {} });
  });

  it('verifies, rolls back, finishes and aborts', async () => {
    const begun = `const [{ id }] = await mover.begin({ kind: 'merge', shards: ['two'], into: 'three' });`;
    // The id is made when the file is loaded
    const known = `for (const name of ['verify', 'rollback', 'finish', 'abort']) {
        const call = mover[name].bind(mover);
        mover[name] = (_, ...more) => call(id, ...more);
      }`;
    const moved = config('moved', `${begun} await mover.run(id).done; ${known}`);
    expect(await run('verify', '--config', moved, '--id', 'x')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d\d rows, no difference\n$/),
    });
    expect(await run('rollback', '--config', moved, '--id', 'x')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/three +two +32-63 +committed \(back\)/),
    });
    const finish = ['finish', '--config', moved, '--id', 'x', '--source-lost'];
    expect(await run(...finish)).toMatchObject({ code: 0, stdout: 'done\n' });
    expect(await run('abort', '--config', moved, '--id', 'x')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('it is committed: roll it back'),
    });
    const early = config('early', `${begun} ${known}`);
    const abort = ['abort', '--config', early, '--id', 'x', '--target-lost'];
    expect(await run(...abort)).toMatchObject({ code: 0, stdout: 'done\n' });
  });

  it('closes fences at tables that were made later', async () => {
    const none = config('fences');
    expect(await run('fence', '--config', none)).toMatchObject({ code: 0, stdout: 'nothing to close\n' });
    const some = config(
      'more-fences',
      `mover.extendFences = async () => ({ one: [{ table: 'a', hasRows: true }, { table: 'b', hasRows: false }], two: [] });`,
    );
    expect(await run('fence', '--config', some)).toMatchObject({
      code: 0,
      stdout: 'one: a, which has rows that nobody is routed to\none: b\n',
    });
  });

  it('watches: runs what was begun, and finishes it, until it is stopped', async () => {
    const file = config(
      'watched',
      `await mover.begin({ kind: 'merge', shards: ['two'], into: 'three' });
       const { watch } = mover;
       mover.watch = options => watch.call(new Mover({ store, tables, backend: memoryMoves({ shards }), steadyMs: 0, finishAfterMs: 0 }), options);`,
    );
    const child = cli.start(['watch', '--config', file]);
    child.stdout.on('data', (data: Buffer) => {
      if (data.toString().includes('finishing')) child.kill('SIGINT');
    });
    const { code, stdout } = await ended(child);
    expect(stdout).toMatch(/[0-9a-f]{16} committed\n/);
    expect(code).toBe(130);
  });

  it('migrates, says what has failed, and where schemas differ', async () => {
    const pglite = new URL('../../../../node_modules/@electric-sql/pglite/dist/index.js', import.meta.url);
    const file = cli.file(
      'migrating.mjs',
      `
      import { PGlite } from ${JSON.stringify(pglite)};
      import { pgliteAdmin } from ${JSON.stringify(new URL('adapters/pglite.js', dist))};
      import { postgresMigrations } from ${JSON.stringify(new URL('adapters/postgres.js', dist))};
      const dbs = { one: await PGlite.create('one'), two: await PGlite.create('two') };
      const shards = { one: { client: () => pgliteAdmin(dbs.one) }, two: { client: () => pgliteAdmin(dbs.two) } };
      export const migrations = postgresMigrations({ shards });
      export const close = async () => { for (const db of Object.values(dbs)) await db.close(); };
    `,
    );
    cli.file('1-notes.sql', 'CREATE TABLE notes (id int PRIMARY KEY)');
    cli.file('2-half.sql', `DO $$ BEGIN IF random() < 2 THEN RAISE 'not here'; END IF; END $$`);
    const done = await run('migrate', '--config', file, '--files', '1-notes.sql');
    expect(done).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/one +done +1-notes\n *two +done +1-notes/),
    });
    const failed = await run('migrate', '--config', file, '--files', '2-half.sql,1-notes.sql');
    expect(failed.stdout).toMatch(/one +failed +2-half +not here\n *two +waiting/);
    expect(failed.code).toBe(1);
    expect(await run('drift', '--config', file)).toMatchObject({ code: 0, stdout: 'no difference\n' });
  }, 180_000);

  it.each([
    [['migrate', '--config', 'CONFIG'], '--files is needed'],
    [['migrate', '--config', 'CONFIG', '--files', 'missing.sql'], 'no such file'],
    [['drift', '--config', 'CONFIG'], 'as `migrations`'],
    [['plan', '--config', 'CONFIG', '--rebalance', '--by', 'luck'], '--by must be load or size'],
    [['plan', '--config', 'CONFIG', '--rebalance', '--zones', 'one'], '--zones must be'],
    [['status'], '--config is needed'],
    [['move', '--config', 'CONFIG'], 'say one of --split'],
    [['move', '--config', 'CONFIG', '--drain', 'one', '--add', 'two'], 'got --drain and --add'],
    [['move', '--config', 'CONFIG', '--split', 'one'], '--into is needed'],
    [['move', '--config', 'CONFIG', '--merge', 'one', '--into', 'two,three'], '--into must be one shard'],
    [['move', '--config', 'CONFIG', '--from', 'one', '--into', 'two', '--slots', '9-3'], '--slots must be'],
    [['move', '--config', 'CONFIG', '--from', 'one', '--into', 'two', '--part', '2'], '--part must be'],
    [['rollback', '--config', 'CONFIG'], '--id is needed'],
    [['forget', '--config', 'CONFIG'], '--key is needed'],
    [['forget', '--config', 'CONFIG', '--key', '7'], 'are not in a directory'],
    [['purge', '--config', 'CONFIG', '--key', '7'], '--shard is needed'],
    [['status', '--config', 'missing.mjs'], 'cannot be loaded'],
  ])('refuses %j', async (args, message) => {
    const file = args.includes('CONFIG') ? config('usage') : '';
    const { code, stderr } = await run(...args.map(arg => (arg === 'CONFIG' ? file : arg)));
    expect(stderr).toContain(message);
    expect(code).toBeGreaterThan(0);
  });
});
