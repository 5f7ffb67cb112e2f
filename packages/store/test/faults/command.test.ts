import { execFile } from 'node:child_process';
import { programArgs } from '@workspace/faults';
import { expect, it } from 'vitest';

const program = new URL('../../faults/main.ts', import.meta.url);

function faults(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise(resolve => {
    execFile(process.execPath, programArgs(program, ...args), (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    );
  });
}

it('prints rows as JSON', async () => {
  const { code, stdout, stderr } = await faults('--fault', 'memory', '--runs', '2', '--seed', '3', '--json');
  expect(code).toBe(0);
  const [row, ...others] = JSON.parse(stdout) as Record<string, unknown>[];
  expect(others).toEqual([]);
  expect(row).toMatchObject({ fault: 'memory-contenders', runs: 2, lost: 0, duplicated: 0, unexpected: 0 });
  expect(row).toHaveProperty('outageMsP50', null);
  expect(stderr).toBe('memory-contenders: 2 runs, ok\n');
});

it('says in one line what it does not understand', async () => {
  for (const [args, line] of [
    [['--fault', 'fire'], 'no fault has "fire" in its name; there are: redis-killed, '],
    [['--runs', '0'], '--runs must be an integer from 1 to 999999999, got "0"\n'],
    [['--what'], 'there is no flag --what; see --help\n'],
  ] as const) {
    const { code, stdout, stderr } = await faults(...args);
    expect(stdout).toBe('');
    expect(stderr).toContain(line);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(code).toBe(2);
  }
});

it('explains itself', async () => {
  const { code, stdout } = await faults('--help');
  expect(code).toBe(0);
  expect(stdout).toContain('redis-holder-stopped');
});
