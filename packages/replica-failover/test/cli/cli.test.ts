import { commandLine } from '@workspace/services/command-line';
import { describe, expect, it } from 'vitest';

const dist = new URL('../../dist/', import.meta.url);
const cli = commandLine(new URL('cli/main.js', dist));
const run = (...args: readonly string[]) => cli.run(args);

/** A module with a set over memory servers. */
function file(name: string, text: string): string {
  const imports = `
    import { leading, memoryCluster, ReplicaSet } from ${JSON.stringify(new URL('index.js', dist))};
    import { memoryStore } from ${JSON.stringify(new URL('../../../store/dist/index.js', import.meta.url))};
    const cluster = memoryCluster();
    const servers = cluster.servers();
    const connect = options => ReplicaSet.connect({
      name: 'orders', servers, authority: leading({ store: memoryStore(), ...options }),
      heartbeat: { intervalMs: 10, deadlineMs: 100 },
    });
  `;
  return cli.file(name, imports + text);
}

const plain = () => file('plain.mjs', 'export default connect();');
const hooked = () =>
  file(
    'hooked.mjs',
    `const hooks = { rewind: async ({ id }) => cluster.rejoin(id) };
    export const set = connect({ members: { a: hooks, b: hooks, c: hooks } });`,
  );

describe('the command line', () => {
  it('says what it can do', async () => {
    expect(await run('--help')).toMatchObject({ code: 0, stdout: expect.stringContaining('switchover') });
    expect(await run()).toMatchObject({ code: 2, stdout: expect.stringContaining('COMMAND --help') });
    expect(await run('drill', '--help')).toMatchObject({ stdout: expect.stringContaining('--back') });
  });

  it.each([
    [['statsu'], 'there is no command "statsu"; did you mean status?'],
    [['status'], '--config is needed'],
    [['status', '--config', 'missing.mjs'], 'missing.mjs cannot be loaded'],
    [['drill', '--config', 'plain.mjs'], 'add --yes'],
    [['switchover', '--config', 'plain.mjs', '--from', 'a'], '--from'],
  ])('refuses %j in one line', async (args, said) => {
    plain();
    const { code, stdout, stderr } = await run(...args);
    expect({ isZero: code === 0, stdout }).toEqual({ isZero: false, stdout: '' });
    expect(stderr).toContain(said);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  it('says what the file lacks, and what is not to be done', async () => {
    const other = await run('status', '--config', file('other.mjs', 'export const other = 1;'));
    expect(other).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('exports other: it needs a Rep'),
    });
    const follows = file('follows.mjs', 'export const set = ReplicaSet.connect({ servers });');
    const refused = await run('switchover', '--config', follows);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('ask whoever promotes there') });
    const dead = file(
      'dead.mjs',
      "cluster.kill('a'); export const set = ReplicaSet.connect({ servers, timeoutMs: 300 });",
    );
    expect(await run('status', '--config', dead)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('a is down'),
    });
  });

  it('shows the servers, and what needs an operator', async () => {
    const { code, stdout } = await run('status', '--config', plain());
    expect(code).toBe(0);
    expect(stdout).toContain('orders: a is primary, term 1, as says leading');
    expect(stdout).toMatch(/^b +up +replica +1\/0/m);
    const { stdout: text } = await run('status', '--config', plain(), '--json');
    expect(JSON.parse(text)).toMatchObject({ primary: 'a', leading: { members: ['a', 'b', 'c'] } });
  });

  it('hands over, and waits until the primary of before follows', async () => {
    const left = await run('switchover', '--config', plain(), '--to', 'c');
    expect(left.stdout).toMatch(/^c is primary, term 2, after a; writes waited .* ms; a stays fenced$/m);
    const { stdout } = await run('switchover', '--config', hooked(), '--json');
    expect(JSON.parse(stdout)).toMatchObject({ from: 'a', term: 2, before: 'rejoins' });
    const failing = file(
      'failing.mjs',
      `const hooks = { rewind: () => Promise.reject(new Error('no')) };
      export const set = connect({ members: { a: hooks } });`,
    );
    const { code, stderr } = await run('switchover', '--config', failing);
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('a is in quarantine: the hook `rewind` failed: no'),
    });
  });

  it('drills there and back, and says what callers would have noticed', async () => {
    const { code, stdout } = await run(
      'drill',
      '--config',
      hooked(),
      '--to',
      'b',
      '--back',
      '--yes',
      '--json',
    );
    expect(JSON.parse(stdout)).toMatchObject({
      switchovers: [
        { from: 'a', to: 'b' },
        { from: 'b', to: 'a' },
      ],
      writes: { failed: 0, errors: [] },
      reads: { failed: 0, errors: [] },
    });
    expect(code).toBe(0);
    const refused = await run('drill', '--config', plain(), '--back', '--yes');
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('a stays fenced') });
  });
});
