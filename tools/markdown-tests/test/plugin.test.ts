import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';
import { beforeAll, expect, test } from 'vitest';

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly title: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

const fixtures = resolve(import.meta.dirname, 'fixtures');
const vitest = resolve(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');

let report: Report;
let terminal: string;

beforeAll(async () => {
  const args = [vitest, 'run', '--config', resolve(fixtures, 'vitest.config.ts')];
  report = JSON.parse(await output([...args, '--reporter=json']));
  terminal = await output([...args, '--reporter=default', '--no-color']);
});

test('each block is a test with a name, and a failing block fails', () => {
  const results = report.testResults.find(({ name }) => name.endsWith('programs.md'))?.assertionResults;
  expect(results?.map(({ title, status }) => [title, status])).toEqual([
    ['Programs (line 4)', 'passed'],
    ['One that fails (line 18)', 'failed'],
  ]);
});

test('a failure points at the line of the Markdown', () => {
  expect(terminal).toMatch(/Error: fails here\n.*❯ programs\.md:21:7\n/);
});

test('a Markdown file that cannot be read fails alone, and says why', () => {
  const unending = report.testResults.find(({ name }) => name.endsWith('unending.md'));
  expect(unending?.message).toContain('unending.md: line 3: this fence has no end');
});

/** What vitest prints; it exits with 1 here, because a test fails. */
function output(args: readonly string[]): Promise<string> {
  const env = { ...process.env, NO_COLOR: '1', CI: 'true' };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { env, timeout: 60_000 }, (error, stdout, stderr) => {
      if (error?.code === 1) resolve(args.includes('--reporter=json') ? stdout : stdout + stderr);
      else reject(error ?? new Error('a run with failing tests ended well'));
    });
  });
}
