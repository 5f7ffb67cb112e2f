import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const program = fileURLToPath(new URL('./fixtures/leaves-open.ts', import.meta.url));

function start(...args: readonly string[]) {
  const flags = ['--conditions=@ashlar/source', '--import', 'tsx', program, ...args];
  return spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'pipe'] });
}

async function run(...args: readonly string[]) {
  const child = start(...args);
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ]);
  return { stdout, stderr, code };
}

it('ends with its exit code when all of its output is read, whatever is open', async () => {
  const { stdout, stderr, code } = await run('--code', '3');
  expect([stdout.length, stderr, code]).toEqual([1_000_001, 'the end\n', 3]);
});

it('ends when nobody reads on', async () => {
  const child = start();
  child.stdout.destroy();
  child.stderr.resume();
  expect(await once(child, 'exit')).toEqual([0, null]);
});

it('explains itself, and says in a line what it does not understand', async () => {
  expect(await run('--help')).toMatchObject({
    stdout: 'leaves something open\n\n  --code N  the exit code\n  --help    this text\n',
    code: 0,
  });
  expect(await run('--code', 'x')).toEqual({
    stdout: '',
    stderr: 'leaves-open: --code must be an integer from 0 to 9, got "x"\n',
    code: 2,
  });
});
