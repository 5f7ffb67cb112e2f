import { execFile, execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { appendFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { reap, spare } from '../processes/reaper.ts';
import type { Provided, Running, RunOptions } from './program.ts';

const run = promisify(execFile);
const docker = (...args: readonly string[]) => run('docker', args, { maxBuffer: 2 ** 26 });

/** Why the image cannot be run; `undefined` when an engine answers and has it, or could fetch it. */
export async function dockerRefusal(image: string): Promise<string | undefined> {
  try {
    await docker('info');
    await docker('image', 'inspect', image).catch(() => docker('pull', image));
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/**
 * Runs the image's program as if it were here: on the host's network, with its folder at the same path, so that
 * arguments, configuration and ports are those of a local process.
 */
export async function runContainer(
  provided: Extract<Provided, { kind: 'docker' }>,
  { args, directory, log, env = {}, user }: RunOptions,
): Promise<Running> {
  const name = `ashlar-${randomUUID()}`;
  reap('container', name);
  const variables = Object.entries(env).flatMap(([key, value]) => ['--env', `${key}=${value}`]);
  const owner = user ?? { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  await docker(
    ...['run', '--detach', '--init', '--name', name, '--network', 'host'],
    ...[
      '--user',
      `${owner.uid}:${owner.gid}`,
      '--volume',
      `${directory}:${directory}`,
      '--workdir',
      directory,
    ],
    ...[...variables, '--entrypoint', provided.path, provided.image, ...args],
  );
  const inspected = await docker('inspect', '--format', '{{.State.Pid}}', name);
  const ended = docker('wait', name).then(async ({ stdout }) => {
    const { stdout: output, stderr } = await docker('logs', name);
    await appendFile(log, output + stderr);
    await docker('rm', '--force', name);
    spare('container', name);
    return `exit code ${stdout.trim()}`;
  });
  const now = (...command: readonly string[]) =>
    void execFileSync('docker', [...command, name], { stdio: 'ignore' });
  return {
    pid: Number(inspected.stdout),
    ended,
    signal: signal => now('kill', '--signal', signal),
    pause: () => now('pause'),
    resume: () => now('unpause'),
    async kill() {
      await docker('kill', name).catch(() => {}); // it may have ended by itself
      await ended;
    },
  };
}
