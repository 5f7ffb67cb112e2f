import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ended } from '../src/index.ts';
import { startProgram } from '../src/tests/vitest.ts';

const vitest = new URL('../../../node_modules/vitest/vitest.mjs', import.meta.url);
const config = join(import.meta.dirname, 'fixtures', 'shared.config.mjs');

it('fails the file that leaves something behind in a process of several, and no other', async () => {
  const { code, stdout } = await ended(startProgram(vitest, ['run', '--config', config]));
  expect(code).toBe(1);
  const { testResults } = JSON.parse(stdout) as {
    testResults: { name: string; status: string; message: string }[];
  };
  const statusOf = Object.fromEntries(
    testResults.map(({ name, status }) => [name.split('/').at(-1), status]),
  );
  expect(statusOf).toEqual({ 'shared-cleans.fixture.ts': 'passed', 'shared-leaves.fixture.ts': 'failed' });
  const messages = testResults.map(({ message }) => message).join('');
  expect(messages).toContain('left behind for the test files after this one');
});
