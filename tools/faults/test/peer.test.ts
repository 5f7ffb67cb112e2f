import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it, onTestFinished } from 'vitest';
import { Peer, programArgs } from '../src/index.ts';

const fixture = (name: string) => new URL(`./fixtures/${name}.ts`, import.meta.url);

it('hears a process in order, and hears of its end', async () => {
  const peer = new Peer<number>(fixture('counting'), { to: 3 });
  onTestFinished(() => peer.end());
  expect([await peer.next(), await peer.next(), await peer.next()]).toEqual([1, 2, 3]);
  const next = expect(peer.next()).rejects.toThrow('the process has ended');
  await peer.end();
  await next;
});

// Its parent is killed: one that disconnects while a part of a message has arrived never closes the channel
it('a process that talks to nobody any more ends, without a stack', async () => {
  const settings = JSON.stringify({ words: 'x'.repeat(10_000) });
  const parent = spawn(process.execPath, programArgs(fixture('listening'), settings), {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void parent.kill('SIGKILL'));
  let complaints = '';
  parent.stderr.on('data', text => {
    complaints += text;
  });
  // The process that talks has the same standard error
  let isClosed = false;
  const closed = once(parent, 'close').then(() => {
    isClosed = true;
  });
  const [pid] = await once(parent.stdout, 'data');
  onTestFinished(() => void (isClosed || process.kill(Number(pid), 'SIGKILL')));
  parent.kill('SIGKILL');
  await closed;
  expect(complaints).toBe('');
});
