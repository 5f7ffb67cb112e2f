import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';

const config = join(import.meta.dirname, 'fixtures', 'vitest.config.mjs');
const vitest = join(import.meta.dirname, '..', '..', '..', 'node_modules', 'vitest', 'vitest.mjs');

/** Runs vitest on fixtures, as a person would; the environment has no program that a service needs. */
async function run(
  files: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: number; lines: string[] }> {
  const child = spawn(process.execPath, [vitest, 'run', '--config', config, ...files], {
    env: { PATH: '/nowhere', HOME: '/nowhere', ASHLAR_INSTALL: '0', ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return { code, lines: output.trimEnd().split('\n') };
}

it('lists what was skipped with its reason, and closes with the plain line', async () => {
  const { code, lines } = await run(['outcomes']);
  expect(code).toBe(1);
  expect(lines.slice(lines.indexOf('Skipped: not today'))).toEqual([
    'Skipped: not today',
    '  outcomes.fixture.ts > skips itself',
    'Skipped: absent cannot be had: ASHLAR_INSTALL=0 forbids `apt-get install no-such-package`',
    '  outcomes.fixture.ts > outer > with a service > not here > sends',
    '  outcomes.fixture.ts > outer > with a service > not here > receives',
    'Skipped: its set-up failed',
    '  outcomes.fixture.ts > set-up that throws > never runs',
    '',
    '1 passed, 2 failed, 4 skipped',
  ]);
});

it('fails with CI=true where a service is missing', async () => {
  const { code, lines } = await run(['outcomes', '-t', 'with a service'], { CI: 'true' });
  expect(code).toBe(1);
  expect(lines.slice(-3)).toEqual(['Not selected by name: 4', '', '0 passed, 1 failed, 4 skipped']);
});

it.each([
  ['a file that cannot be read', 'broken', '0 passed, 1 failed, 0 skipped', 1],
  ['an unhandled rejection', 'unhandled', '1 passed, 1 failed, 0 skipped', 1],
  ['no test at all', 'no-such-file', '0 passed, 0 failed, 0 skipped', 1],
  ['only skipped tests', 'skipped', '0 passed, 0 failed, 1 skipped', 0],
])('closes with the same line after %s', async (_, file, line, exitCode) => {
  const { code, lines } = await run([file]);
  expect([code, lines.at(-1)]).toEqual([exitCode, line]);
});

it('lists the slowest of several files before that', async () => {
  const { lines } = await run(['unhandled', 'skipped']);
  const from = lines.indexOf('Slowest files');
  const listed = lines.slice(from + 1, from + 3).map(line => /^ +\d+\.\d s {2}(\S+)$/.exec(line)?.[1]);
  expect(listed.sort()).toEqual(['skipped.fixture.ts', 'unhandled.fixture.ts']);
  expect((await run(['unhandled'])).lines).not.toContain('Slowest files');
});

it('lets no run pass with CI=true in which nothing ran', async () => {
  const { code, lines } = await run(['skipped'], { CI: 'true' });
  expect([code, lines.at(-1)]).toEqual([1, '0 passed, 0 failed, 1 skipped']);
});

it('reports which files failed, to run them again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ashlar-report-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'report.json');
  await run(['outcomes', 'unhandled', 'broken', 'skipped'], { ASHLAR_TEST_REPORT: path });
  const { failures, ...totals } = JSON.parse(readFileSync(path, 'utf8'));
  expect(totals).toEqual({ passed: 2, failed: 3, skipped: 5, elsewhere: 0 });
  expect(Object.keys(failures).sort()).toEqual([
    'broken.fixture.ts',
    'outcomes.fixture.ts',
    'unhandled.fixture.ts',
  ]);
  expect(failures['outcomes.fixture.ts']).toMatchObject({ passed: 1, failed: 2, skipped: 4 });
  expect(failures['broken.fixture.ts'].names).toEqual(['outside its tests']);
});
