import { fork } from 'node:child_process';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { ended } from '../src/index.ts';

it('closes a socket at every moment of its end, and the process can return', async () => {
  const program = join(import.meta.dirname, 'fixtures', 'resets.ts');
  const child = fork(program, { execArgv: ['--import', 'tsx'], stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  child.disconnect();
  expect(await ended(child)).toEqual({
    code: 0,
    signal: null,
    stdout: 'open: closed\nended: closed\nended with much unsent: closed\nended and sent: closed\n',
    stderr: '',
  });
});
