import { ended, startPostgres, startRedis } from '@workspace/services';
import { commandLine } from '@workspace/services/command-line';
import { describeWith } from '@workspace/services/vitest';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Precompute } from '../../src/index.ts';
import { connect } from '../fixtures/backends.ts';
import { ending } from '../support/site.ts';

const dist = new URL('../../dist/', import.meta.url);
const cli = commandLine(new URL('cli/main.js', dist));
const run = (...args: readonly string[]) => cli.run(args);

function file(name: string, text: string): string {
  const imports = `
    import { Job, Precompute } from ${JSON.stringify(new URL('index.js', dist))};
    import { memoryStore } from ${JSON.stringify(new URL('../../../store/dist/index.js', import.meta.url))};
    const store = memoryStore();
  `;
  return cli.file(name, imports + text);
}

const job = (name: string, work: string) =>
  file(name, `export const job = new Job({ name: 'report', schedule: '0 * * * *', store, work: ${work} });`);

describe('the command line', () => {
  it('says what it can do', async () => {
    expect(await run('--help')).toMatchObject({ code: 0, stdout: expect.stringContaining('rollback') });
    expect(await run()).toMatchObject({ code: 2, stdout: expect.stringContaining('COMMAND --help') });
    expect(await run('backfill', '--help')).toMatchObject({ stdout: expect.stringContaining('--dry-run') });
  });

  it.each([
    [['rolback'], 'there is no command "rolback"; did you mean rollback?'],
    [['next'], '--config FILE, or --schedule'],
    [['next', '--schedule', '61 * * * *'], 'schedule'],
    [['next', '--schedule', '0 0 30 2 *'], 'schedule'],
    [['next', '--schedule', '* * * * *', '--time-zone', 'Mars/Phobos'], 'timeZone'],
    [['history'], '--config FILE, or --url URL with --name NAME'],
    [['history', '--url', 'redis://x'], '--name is needed'],
    [['history', '--url', 'http://x', '--name', 'a'], 'begins with redis://'],
    [['history', '--config', 'x.mjs', '--name', 'a'], 'exclude each other'],
    [['pause'], '--config is needed'],
    [['backfill', '--config', 'x.mjs'], '--from is needed'],
    [['backfill', '--config', 'x.mjs', '--from', 'yesterday'], '--from must be a time'],
    [['backfill', '--config', 'x.mjs', '--from', '2026-12-24T18:00'], '--from must be a time'],
    [['rollback', '--config', 'missing.mjs'], 'missing.mjs cannot be loaded'],
  ])('refuses %j in one line', async (args, said) => {
    const { code, stdout, stderr } = await run(...args);
    expect({ isZero: code === 0, stdout }).toEqual({ isZero: false, stdout: '' });
    expect(stderr).toContain(said);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  it('says what the file lacks, and what a job has not', async () => {
    const other = await run('next', '--config', file('other.mjs', 'export const other = 1;'));
    expect(other).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('exports other: it needs a Pre'),
    });
    const none = await run('rollback', '--config', job('plain.mjs', '() => {}'));
    expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining('report is a Job') });
  });

  it('prints the next times', async () => {
    const { stdout } = await run('next', '--schedule', '0 0 29 2 *', '--count', '2', '--json');
    const [first, second] = JSON.parse(stdout).map((time: string) => new Date(time));
    expect(second.getUTCFullYear() - first.getUTCFullYear()).toBe(4);
    const ofJob = await run('next', '--config', job('next.mjs', '() => {}'), '--count', '3');
    expect(ofJob.stdout.trim().split('\n')).toHaveLength(3);
    const over = await run('next', '--schedule', '* * * * * * 2025');
    expect(over).toMatchObject({ code: 0, stdout: 'none: no tick comes any more\n' });
  });

  it('launches a run, and the ticks of a range, and says what became of them', async () => {
    const failing = job(
      'failing.mjs',
      "run => { if (run.scheduledAt.getUTCHours() === 1) throw new Error('no'); }",
    );
    const range = ['--from', '2026-06-01', '--to', '2026-06-01T03:00:00Z'];
    const dry = await run('backfill', '--config', failing, ...range, '--dry-run');
    expect(dry.stdout).toContain('3 ticks would wait');
    const { code, stdout } = await run('backfill', '--config', failing, ...range, '--wait', '--json');
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ launched: true, failed: 1, ticks: { length: 3 } });
    const most = await run('backfill', '--config', failing, ...range, '--max', '2');
    expect(most).toMatchObject({ code: 1, stderr: expect.stringContaining('more than 2 ticks') });
    const done = await run('trigger', '--config', job('good.mjs', '() => 5'), '--json');
    expect(done.code).toBe(0);
    expect(JSON.parse(done.stdout)).toMatchObject({ status: 'succeeded', result: 5 });
  });

  it('lists the ticks of a range with --dry-run, and writes nothing', async () => {
    const config = file(
      'dry.mjs',
      `const told = new Proxy(store, {
        get(target, name) {
          const value = Reflect.get(target, name);
          if (typeof value !== 'function') return value;
          return (...args) => {
            if (name.startsWith('set')) process.stderr.write('writes\\n');
            return value.apply(target, args);
          };
        },
      });
      export const job = new Job({ name: 'report', schedule: '0 * * * *', store: told, work() {} });`,
    );
    const range = ['--from', '2026-06-01', '--to', '2026-06-01T03:00:00Z'];
    const dry = await run('backfill', '--config', config, ...range, '--dry-run', '--json');
    const ticks = ['2026-06-01T00:00:00.000Z', '2026-06-01T01:00:00.000Z', '2026-06-01T02:00:00.000Z'];
    expect(dry).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(dry.stdout)).toEqual({ launched: false, ticks });
    const launched = await run('backfill', '--config', config, ...range, '--json');
    expect(launched).toMatchObject({ code: 0, stderr: expect.stringContaining('writes') });
    expect(JSON.parse(launched.stdout)).toEqual({ launched: true, ticks });
  });

  it('leaves a run that is stopped with Ctrl-C', async () => {
    const slow = job(
      'slow.mjs',
      `run => new Promise((_, reject) => {
        process.stderr.write('runs');
        run.signal.addEventListener('abort', () => reject(run.signal.reason));
      })`,
    );
    const child = cli.start(['trigger', '--config', slow]);
    child.stderr.once('data', () => child.kill('SIGINT'));
    expect(await ended(child)).toMatchObject({ code: 130, stdout: '' });
  });
});

for (const kind of ['redis', 'postgres'] as const) {
  describeWith(kind, `the command line on ${kind}`, () => {
    it('shows what other processes did, and goes back', async () => {
      const server = await (kind === 'redis' ? startRedis() : startPostgres());
      onTestFinished(() => server.stop());
      const { store, prepare } = ending(connect({ kind, url: server.url, place: 'cli_place' }));
      await prepare();
      let value = 1;
      const best = ending(
        new Precompute<string, number>({
          name: 'best',
          schedule: '0 0 1 1 *',
          store,
          source: async function* () {
            yield ['a', value];
          },
        }),
      );
      await best.start();
      await best.refresh();
      value = 2;
      await best.refresh();
      const place =
        kind === 'redis'
          ? ['--prefix', 'cli_place']
          : ['--table', 'cli_place', '--durability', 'asynchronous'];
      const at = ['--url', server.url, ...place, '--name', 'best'];
      const history = await run('history', ...at, '--json', '--status', 'succeeded', '--limit', '1');
      expect(JSON.parse(history.stdout || history.stderr)).toMatchObject({ result: { version: 2 } });
      expect((await run('versions', ...at)).stdout).toContain('2, served');
      const back = await run('rollback', ...at);
      expect(back).toMatchObject({ code: 0, stdout: expect.stringContaining('version 1 is served') });
      await expect.poll(() => best.get('a').value, { timeout: 20_000 }).toBe(1);
      const further = await run('rollback', ...at);
      expect(further).toMatchObject({ code: 1, stderr: expect.stringContaining('there is none before it') });
      const none = await run('history', ...at.slice(0, -1), 'worst');
      expect(none).toMatchObject({ code: 0, stdout: 'no runs of worst\n' });
    });
  });
}
