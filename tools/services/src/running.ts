import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { runContainer } from './docker.ts';
import type { Provided } from './provide.ts';
import { reap, spare } from './reaper.ts';
import { isAlive, signalTree } from './tree.ts';
import type { User } from './user.ts';

/** How a program is run. */
export interface RunOptions {
  readonly args: readonly string[];
  readonly directory: string;
  /** The file that takes its output and errors, appended. */
  readonly log: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly user?: User | undefined;
}

/** A program that was started, and everything that it starts. */
export interface Running {
  readonly pid: number;
  /** Resolves when it has ended, with the exit code or the signal. */
  readonly ended: Promise<string>;
  /** Sends a signal to the program itself. */
  signal(signal: NodeJS.Signals): void;
  /** SIGKILL to all of it; resolves when all of it is gone. */
  kill(): Promise<void>;
  pause(): void;
  resume(): void;
}

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
