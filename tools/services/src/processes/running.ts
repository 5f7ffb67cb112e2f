import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { runContainer } from '../programs/docker.ts';
import type { Provided, Running, RunOptions } from '../programs/program.ts';
import { isAlive, signalTree } from './processes.ts';
import { reap, spare } from './reaper.ts';

/** Starts the program. It does not keep this process alive, and does not outlive it. */
export async function run(provided: Provided, options: RunOptions): Promise<Running> {
  return provided.kind === 'docker' ? runContainer(provided, options) : runProcess(provided.path, options);
}

async function runProcess(path: string, options: RunOptions): Promise<Running> {
  const { args, directory, user } = options;
  const log = openSync(options.log, 'a');
  const child = spawn(path, args, {
    cwd: directory,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', log, log],
    detached: true, // a group of its own: Ctrl-C at the terminal is not for it, and it can be ended whole
    ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
  });
  closeSync(log);
  const pid = child.pid;
  if (pid === undefined) throw (await once(child, 'error'))[0];
  reap('group', pid);
  const ended = new Promise<string>(resolve => {
    child.once('exit', (code, signal) => {
      spare('group', pid);
      resolve(signal ?? `exit code ${code}`);
    });
  });
  child.unref();
  return {
    pid,
    ended,
    signal: signal => void child.kill(signal),
    pause: () => void signalTree(pid, 'SIGSTOP'),
    resume: () => void signalTree(pid, 'SIGCONT'),
    async kill() {
      child.ref();
      const tree = signalTree(pid, 'SIGKILL');
      await ended;
      await gone(tree);
    },
  };
}

/** Processes that were sent SIGKILL are gone within moments; the bound is for a machine that stands still. */
async function gone(pids: readonly number[]): Promise<void> {
  for (let attempts = 0; attempts < 2000 && pids.some(isAlive); attempts++) {
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}
