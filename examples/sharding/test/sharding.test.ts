import { childrenOf, ended, isAlive, written } from '@workspace/services';
import { describeWith, programAt } from '@workspace/services/vitest';
import { describe, expect, it, vi } from 'vitest';
import type { Report } from '../src/output/report.ts';

const start = programAt(new URL('../dist/main.js', import.meta.url));

/** Servers start and rows move as fast as the machine lets them; this only ends what hangs. */
vi.setConfig({ testTimeout: 240_000 });

async function performed(...args: string[]): Promise<Report> {
  const { code, stdout, stderr } = await ended(start('--json', ...args));
  expect(stdout, stderr).not.toBe('');
  const report = JSON.parse(stdout) as Report;
  const slots = { one: 256, two: 256, three: 256, four: 256 };
  const nothing = { lost: 0, twice: 0, unknown: 0, failedWrites: 0, stale: 0, failedReads: 0, leaks: [] };
  expect({ code, ...report }, stderr).toMatchObject({ code: 0, ok: true, slots, ...nothing });
  expect(report.moves).toBeGreaterThan(3);
  expect(Math.min(report.writes, report.reads)).toBeGreaterThan(100);
  expect(stderr).toMatch(
    /shard three is added\n[\s\S]* slots of one are on three[\s\S]* shard four is added/,
  );
  return report;
}

describe('in memory', () => {
  it('makes four shards of two, and loses nothing', async () => {
    expect(await performed()).toMatchObject({ rows: 2_000, shards: 'in memory' });
  });

  it('prints events, a picture and a table where there is no terminal', async () => {
    const { code, stdout } = await ended(start('--rows', '200'));
    expect(code).toBe(0);
    expect(stdout).not.toContain('\x1b');
    expect(stdout).toMatch(/\none {4}█{16}·{48} {2}256\n[\s\S]*payments acknowledged +\d+\n {2}lost +0\n/);
  });

  it('ends with exit code 130 at Ctrl-C, in the midst of a move', async () => {
    const child = start();
    await written(child, /shard three is added/);
    child.kill('SIGINT');
    expect((await ended(child)).code).toBe(130);
  });
});

describeWith({ own: 'postgres' }, 'on PostgreSQL', () => {
  it('makes four shards of two, and loses nothing', async () => {
    expect(await performed('--postgres', '--rows', '500')).toMatchObject({ rows: 500 });
  });

  it('leaves no server behind at Ctrl-C', async () => {
    const child = start('--postgres', '--rows', '100');
    await written(child, /shard three is added/);
    const servers = childrenOf(child.pid!);
    expect(servers.length).toBeGreaterThan(4);
    child.kill('SIGINT');
    expect((await ended(child)).code).toBe(130);
    await expect.poll(() => servers.filter(isAlive), { timeout: 60_000 }).toEqual([]);
  });
});

describe('what it writes', () => {
  it.each([
    [['--postgre'], 'there is no flag --postgre; did you mean --postgres?'],
    [['--rows', '7'], '--rows must be an integer from 100 to 1000000, got "7"'],
    [['--rows'], '--rows needs a value: --rows N'],
    [['2000'], '"2000" is not a flag; see --help'],
  ])('is one line and exit code 2 for %s', async (args, said) => {
    const { code, stdout, stderr } = await ended(start(...args));
    expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: '', stderr: `sharding: ${said}\n` });
  });

  it('is help when that is asked for', async () => {
    const { code, stdout } = await ended(start('--help'));
    expect(code).toBe(0);
    for (const flag of ['--postgres', '--rows N', '--json']) expect(stdout).toContain(flag);
  });
});
