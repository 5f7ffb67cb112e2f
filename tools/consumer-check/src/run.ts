import { execFile } from 'node:child_process';

export interface Ran {
  /** The exit code; undefined when the program was stopped because it did not end in time. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** A run that has not ended by then is stopped: something keeps it alive. */
const longestMs = 180_000;

/** Runs a program to its end. Rejects when it cannot be started or the signal aborts, not when it fails. */
export function run(
  file: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly signal: AbortSignal; readonly timeoutMs?: number },
): Promise<Ran> {
  const { cwd, signal, timeoutMs = longestMs } = options;
  const { NODE_OPTIONS: _, ...env } = process.env;
  return new Promise((resolve, reject) => {
    const settings = { cwd, env, signal, timeout: timeoutMs, maxBuffer: 64 * 1024 * 1024 };
    execFile(file, args, settings, (error, stdout, stderr) => {
      if (signal.aborted) return reject(signal.reason);
      if (error === null) return resolve({ code: 0, stdout, stderr });
      if (typeof error.code === 'number') return resolve({ code: error.code, stdout, stderr });
      if (error.killed === true) return resolve({ code: undefined, stdout, stderr });
      return reject(error);
    });
  });
}

/** Runs npm; rejects with what it printed when it fails. */
export async function npm(args: readonly string[], options: Parameters<typeof run>[2]): Promise<string> {
  // the npm that runs this script, which need not be the first one on the PATH
  const script = process.env['npm_execpath'];
  const ran = script?.endsWith('.js')
    ? await run(process.execPath, [script, ...args], options)
    : await run('npm', args, options);
  if (ran.code !== 0) throw new Error(`npm ${args.join(' ')} failed:\n${ran.stderr}${ran.stdout}`);
  return ran.stdout;
}
