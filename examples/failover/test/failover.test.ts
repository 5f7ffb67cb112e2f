import { childrenOf, ended, isAlive, written } from '@workspace/services';
import { describeWith, programAt } from '@workspace/services/vitest';
import { describe, expect, it, vi } from 'vitest';
import type { Report } from '../src/output/report.ts';

const start = programAt(new URL('../dist/main.js', import.meta.url));

/** Servers start and fail over as fast as the machine lets them; this only ends what hangs. */
vi.setConfig({ testTimeout: 180_000 });

async function performed(...args: string[]): Promise<{ report: Report; events: string }> {
  const { code, stdout, stderr } = await ended(start('--json', ...args));
  expect(stdout, stderr).not.toBe('');
  const report = JSON.parse(stdout) as Report;
  expect({ code, report }, stderr).toMatchObject({ report: { brokenReads: 0, notExecutedButThere: 0 } });
  expect(report.acknowledged).toBeGreaterThan(100);
  expect(stderr).toMatch(
    / is stopped[\s\S]* goes on[\s\S]* is killed[\s\S]* is primary now[\s\S]* is started again/,
  );
  return { report, events: stderr };
}

describe('in memory', () => {
  it('loses nothing when a replica is stopped and the primary killed', async () => {
    const { report, events } = await performed();
    expect(report).toMatchObject({ ok: true, lost: 0, unknown: 0 });
    // A machine that stands still for a second may see more than one failover
    expect(report.term).toBeGreaterThanOrEqual(2);
    expect(events).toMatch(/it is fenced[\s\S]*\na +P[PrxF]+\n/);
  });

  it('prints a table where people read', async () => {
    const { code, stdout } = await ended(start());
    expect(code).toBe(0);
    expect(stdout).toMatch(/writes {2}\S+\n[\s\S]*orders acknowledged +\d+\n {2}lost +0\n/);
  });
});

describeWith({ own: 'postgres' }, 'on PostgreSQL', () => {
  it('loses nothing, and knows the outcome of every order', async () => {
    const { report, events } = await performed('--postgres');
    expect(report).toMatchObject({ ok: true, lost: 0, unknown: 0 });
    expect(report.term).toBeGreaterThanOrEqual(2);
    expect(events).toMatch(/postgres was primary in an earlier term: it is fenced/);
  });

  it('leaves no server behind at Ctrl-C', async () => {
    const child = start('--postgres');
    await written(child, /is stopped/);
    const servers = childrenOf(child.pid!);
    expect(servers.length).toBeGreaterThan(3);
    child.kill('SIGINT');
    expect((await ended(child)).code).toBe(130);
    await expect.poll(() => servers.filter(isAlive), { timeout: 60_000 }).toEqual([]);
  });
});

describeWith({ own: 'redis' }, 'on Redis', () => {
  it('follows the Sentinels, and is told what it does not know', async () => {
    const { report } = await performed('--redis');
    // Sentinel may promote a replica that lacks what only the other one has acknowledged
    expect(report.lost).toBeLessThanOrEqual(1);
    expect(report.term).toBeGreaterThan(0);
  });
});

describe('what it writes', () => {
  it.each([
    [['--postgre'], 'there is no flag --postgre; did you mean --postgres?'],
    [['--postgres', '--redis'], '--postgres and --redis exclude each other'],
    [['--redis', 'redis://127.0.0.1'], '"redis://127.0.0.1" is not a flag; see --help'],
  ])('is one line and exit code 2 for %s', async (args, said) => {
    const { code, stdout, stderr } = await ended(start(...args));
    expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: '', stderr: `failover: ${said}\n` });
  });

  it('is help when that is asked for', async () => {
    const { code, stdout } = await ended(start('--help'));
    expect(code).toBe(0);
    for (const flag of ['--postgres', '--redis', '--script', '--json']) expect(stdout).toContain(flag);
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('ends on %s with exit code %i', async (name, exitCode) => {
    const child = start();
    await written(child, /is stopped/);
    child.kill(name);
    expect((await ended(child)).code).toBe(exitCode);
  });
});
