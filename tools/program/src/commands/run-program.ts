import { exit, failed } from './ending.ts';

export interface Running {
  /** Aborts when the program is to end before its time. `main` then rejects with its reason. */
  readonly signal: AbortSignal;
  /** What Ctrl-C does, for who reads it as a key. */
  interrupt(): void;
}

/** Why the program ends before its time, and the exit code that tells the shell so. */
class Interruption {
  readonly exitCode: number;

  constructor(exitCode: number) {
    this.exitCode = exitCode;
  }
}

const signals = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Runs the `main` of a program with the command line, and ends the process when `main` has ended. The exit code is 0; 2 for a UsageError and 1 for any other error,
 * of which an AshlarError is told in one line; 129, 130 and 143 after `SIGHUP`, Ctrl-C and `SIGTERM`, at once if they
 * come twice; and 0 when nobody reads on, as in `npm start | head`. `main` may set `process.exitCode` itself.
 */
export async function runProgram(
  name: string,
  main: (args: readonly string[], running: Running) => Promise<void>,
): Promise<never> {
  const stop = new AbortController();
  const interrupt = (exitCode: number) => {
    // The second time somebody is impatient.
    if (stop.signal.aborted) process.exit(exitCode);
    stop.abort(new Interruption(exitCode));
  };
  for (const [signal, exitCode] of Object.entries(signals)) process.on(signal, () => interrupt(exitCode));
  process.stdout.on('error', () => stop.abort(new Interruption(0)));
  // Before Node says so itself, in many lines since its version 22
  process.on('beforeExit', () => {
    console.error(`${name}: it waits, and nothing is left that could end that`);
    process.exit(1);
  });
  try {
    await main(process.argv.slice(2), { signal: stop.signal, interrupt: () => interrupt(signals.SIGINT) });
  } catch (error) {
    process.exitCode = error instanceof Interruption ? error.exitCode : failed(name, error);
  }
  return exit();
}
