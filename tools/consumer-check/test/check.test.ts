import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test, vi } from 'vitest';
import { checkPackages, publicPackages, Report } from '../src/index.ts';
import { PackagesFolder } from './fixtures.ts';

const lines: string[] = [];
let leftOver: string[];

beforeAll(async () => {
  await using folder = await PackagesFolder.create();
  const temporary = join(folder.path, 'temporary');
  await mkdir(temporary);
  vi.stubEnv('TMPDIR', temporary);
  vi.stubEnv('npm_config_offline', 'true');
  vi.stubEnv('NODE_DISABLE_COMPILE_CACHE', '1'); // where npm and tsc have one, it stays in TMPDIR for the next run
  const report = new Report(line => lines.push(line));
  await checkPackages({
    packages: publicPackages(folder.path),
    toolchain: folder.toolchain,
    report,
    signal: AbortSignal.timeout(280_000), // before the hook's own, so that everything is deleted
  });
  lines.push(report.summary());
  leftOver = await readdir(temporary);
  vi.unstubAllEnvs();
}, 300_000);

/** The faults that were told of a check, of each time that it ran. */
function faults(check: string): string[] {
  return lines.flatMap((line, at) => {
    if (!line.endsWith(`  ${check}`)) return [];
    const end = lines.findIndex((later, n) => n > at && !later.startsWith('     '));
    return [
      lines
        .slice(at + 1, end)
        .join('\n')
        .replace(/^ +/gm, ''),
    ];
  });
}

test('a sound package passes every check', () => {
  expect(faults('tarball of @fixture/sound')).toEqual(['']);
  for (const verb of ['import', 'require']) {
    expect(faults(`${verb} @fixture/sound`)).toEqual(['', '']);
    expect(faults(`${verb} @fixture/sound/backend`)).toEqual(['', '']);
  }
  expect(faults('bundle @fixture/sound/backend')).toEqual(['']);
  expect(faults('README of @fixture/sound')).toEqual(['']);
});

test('the tarball: what is missing, left over or not for users', () => {
  expect(faults('tarball of @fixture/unsound')).toEqual([
    [
      'LICENSE is missing',
      'src/gone.ts, which package.json names, is missing (is it built?)',
      'dist/gone.d.ts, which package.json names, is missing (is it built?)',
      'dist/gone.js, which package.json names, is missing (is it built?)',
      'test/index.test.ts should not be published',
      'dist/stale.js is left from a source that is gone: build again',
      'package.json has no `sideEffects`',
    ].join('\n'),
  ]);
});

test('a backend without its client library must name the command to install it', () => {
  const [without, withPeer] = faults('import @fixture/unsound/backend');
  expect(without).toMatch(/^fails, and does not say `npm install the-peer`:\n[\s\S]*ERR_MODULE_NOT_FOUND/);
  expect(withPeer).toBe('');
});

test('what is no backend must load without optional peers', () => {
  const [without, withPeer] = faults('require @fixture/unsound/engine');
  expect(without).toContain("Cannot find package 'the-peer'");
  expect(withPeer).toBe('');
});

test('an entry must load from CommonJS, and in silence', () => {
  expect(faults('import @fixture/unsound/awaits')).toEqual(['', '']);
  expect(faults('require @fixture/unsound/awaits')[1]).toContain('ERR_REQUIRE_ASYNC_MODULE');
  expect(faults('import @fixture/unsound/noisy')[1]).toBe('loading it prints:\nhello');
});

test('an entry must be whole in a CommonJS bundle', () => {
  expect(faults('bundle @fixture/unsound')).toEqual(['']);
  expect(faults('bundle @fixture/unsound/awaits')[0]).toContain('Top-level await');
});

test('an entry must load when each file was compiled to CommonJS', () => {
  expect(faults('compiled @fixture/sound/backend')).toEqual(['']);
  expect(faults('compiled @fixture/unsound')).toEqual(['']);
  expect(faults('compiled @fixture/unsound/meta')[0]).toContain("Cannot use 'import.meta' outside a module");
});

test('the first program of a README must be there and run', () => {
  expect(faults('README of @fixture/bare')[0]).toBe('there is no `ts` block that runs');
  expect(faults('README of @fixture/unsound')[0]).toContain('Error: one is 1');
});

test.each(['nodenext', 'nodenext, in CommonJS', 'bundler'])(
  'types are checked with moduleResolution %s',
  resolution => {
    const [told] = faults(`types with moduleResolution ${resolution}`);
    expect(told).toMatch(
      /every-entry\.[mc]ts\(8,\d+\): error TS2307: Cannot find module '@fixture\/unsound\/gone'/,
    );
    expect(told).toMatch(/noisy\.d\.ts\(1,\d+\): error TS2307: Cannot find module 'no-such-package'/);
  },
);

test('what an entry gives must have a name that an entry exports', () => {
  expect(faults('names of @fixture/sound')).toEqual(['']);
  const [told = ''] = faults('names of @fixture/unsound/nameless');
  expect(told.match(/^use\d+ = .*$/gm)).toEqual([
    'use0 = (...given: Parameters<typeof it.hide>) => it.hide(...given);',
    'use2 = (one: it.Shown) => one["hidden"];',
  ]);
  expect(told).toContain("cannot be named without a reference to 'Hidden'");
});

test('checks are counted, and the project is deleted', () => {
  const count = (mark: string): number => lines.filter(line => line.startsWith(`  ${mark}`)).length;
  expect(count('FAIL')).toBeGreaterThan(0);
  expect(lines.at(-1)).toBe(`${count('ok')} passed, ${count('FAIL')} failed`);
  expect(leftOver).toEqual([]);
});
