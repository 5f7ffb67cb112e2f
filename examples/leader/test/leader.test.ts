import { once } from 'node:events';
import { childrenOf, ended, isAlive, signal, startPostgres, startRedis, written } from '@workspace/services';
import { describeWith, programAt } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import pg from 'pg';
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Report } from '../src/output/report.ts';

const start = programAt(new URL('../dist/main.js', import.meta.url));

/** Processes start as fast as the machine lets them; this only ends what hangs. */
vi.setConfig({ testTimeout: 120_000 });

async function performed(...args: string[]): Promise<Report> {
  const { code, stdout, stderr } = await ended(start('--script', '--json', ...args));
  const report = JSON.parse(stdout || '{}') as Report;
  expect({ code, report }, stderr).toMatchObject({ code: 0, report: { ok: true, wentBack: 0, refused: 1 } });
  expect(stderr).toMatch(/is stopped[\s\S]* leads[\s\S]* goes on[\s\S]* writes late, .*: refused/);
  return report;
}

function expectTakeovers({ takeovers, ttlMs, counter, acknowledged }: Report): void {
  const [killed, ...stopped] = takeovers;
  expect(killed?.cause).toBe('killed');
  expect(new Set(stopped.map(({ cause }) => cause))).toEqual(new Set(['stopped']));
  expect(stopped.every(({ from, to }) => from !== to)).toBe(true);
  for (const { gapMs } of takeovers) {
    // the last renewal may be a third of the time old, give or take a tenth, and the last write is before that
    expect(gapMs).toBeGreaterThan(ttlMs / 2);
  }
  // a write that was killed on its way counts, but was not acknowledged
  expect(counter).toBeGreaterThanOrEqual(acknowledged);
  expect(counter).toBeLessThanOrEqual(acknowledged + 1);
}

describe('in memory', () => {
  it('lets another lead when the leader is killed or stopped, and refuses the late write', async () => {
    const report = await performed();
    expect(report).toMatchObject({ backend: 'memory', ttlMs: 2_000 });
    expectTakeovers(report);
  });
});

describeWith('redis', 'on Redis', () => {
  it('does the same, and takes its counter away', async () => {
    const server = await startRedis();
    onTestFinished(() => server.stop());
    expectTakeovers(await performed('--redis', server.url));
    const redis = new Redis(server.url);
    onTestFinished(() => redis.disconnect());
    expect(await redis.keys('ashlar-leader:*')).toEqual([]);
  });
});

describeWith('postgres', 'on PostgreSQL', () => {
  let url: string;
  beforeAll(async () => {
    const server = await startPostgres();
    ({ url } = server);
    return () => server.stop();
  });

  it('does the same, and takes its counter away', async () => {
    expectTakeovers(await performed('--postgres', url));
    const pool = new pg.Pool({ connectionString: url });
    onTestFinished(() => pool.end());
    expect((await pool.query('SELECT * FROM ashlar_leader_counter')).rows).toEqual([]);
  });
});

describe('how it ends', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('on %s, with exit code %i, and the stopped process ends too', async (name, exitCode) => {
    const child = start('--ttl-ms', '500');
    await written(child, /is stopped/);
    const children = childrenOf(child.pid!);
    expect(children).toHaveLength(3);
    child.kill(name);
    expect(await once(child, 'exit')).toEqual([exitCode, null]);
    expect(children.filter(isAlive)).toEqual([]);
  });

  it('when it is killed: its children notice, the stopped one when it goes on', async () => {
    const child = start('--ttl-ms', '500');
    await written(child, /is stopped/);
    const children = childrenOf(child.pid!);
    onTestFinished(() => children.forEach(pid => void signal(pid, 'SIGKILL')));
    child.kill('SIGKILL');
    await expect.poll(() => children.filter(isAlive), { timeout: 60_000 }).toHaveLength(1);
    for (const pid of children) signal(pid, 'SIGCONT');
    await expect.poll(() => children.filter(isAlive), { timeout: 60_000 }).toEqual([]);
  });
});

describe('what it writes', () => {
  it('is one line and exit code 2 for a bad flag', async () => {
    const { code, stdout, stderr } = await ended(start('--tll-ms', '5'));
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toBe('leader: there is no flag --tll-ms; did you mean --ttl-ms?\n');
  });

  it.each([
    ['--redis', 'redis://127.0.0.1:1'],
    ['--postgres', 'postgres://127.0.0.1:1/none'],
  ])('is one line and exit code 1 when there is no server: %s', async (...args) => {
    const { code, stdout, stderr } = await ended(start(...args));
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^leader: .+\n$/);
  });

  it('is help when that is asked for', async () => {
    const { code, stdout } = await ended(start('--help'));
    expect(code).toBe(0);
    for (const flag of ['--ttl-ms', '--redis', '--postgres', '--script', '--json'])
      expect(stdout).toContain(flag);
  });
});
