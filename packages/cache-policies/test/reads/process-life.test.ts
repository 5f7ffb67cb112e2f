import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { programArgs } from '@workspace/faults';
import { expect, it } from 'vitest';

const program = new URL('../fixtures/reads.ts', import.meta.url);

/** What a process says that holds nothing but a read; rejects when it ends before its read has. */
async function said(scenario: string): Promise<string> {
  const args = programArgs(program, scenario);
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 25_000 });
  return stdout;
}

it.concurrent.each([
  ['another instance loads', 'loaded'],
  ['the load takes too long', 'ASHLAR_CACHE_POLICIES_LOAD_TIMEOUT'],
  ['the load is slow, and there is an old value', 'old'],
  ['its journal is taken', 'ASHLAR_CACHE_POLICIES_JOURNAL_TAKEN '.repeat(3).trim()],
])('a process lives as long as somebody waits for a read: %s', async (scenario, answer) => {
  expect(await said(scenario)).toBe(answer);
});

it('a process does not live for what nobody waits for', async () => {
  expect(await said('nobody waits for a refresh')).toBe('old');
  expect(await said('nobody waits for a journal that is taken')).toBe('0');
});
