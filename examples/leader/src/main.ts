import { AshlarError } from '@ashlar/core';
import { help, type Options, readOptions, UsageError } from './cli/options.ts';
import { reportTable } from './output/report.ts';
import { Screen } from './output/screen.ts';
import { run } from './run.ts';

/** Why the program ends before its time, and the exit code that tells the shell so. */
class Interruption {
  readonly exitCode: number;

  constructor(exitCode: number) {
    this.exitCode = exitCode;
  }
}

const stop = new AbortController();
for (const [signal, exitCode] of [
  ['SIGHUP', 129],
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.on(signal, () => interrupt(exitCode));
}
// `npm start | head` closes the pipe when it has enough.
process.stdout.on('error', () => stop.abort(new Interruption(0)));

try {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) process.stdout.write(help());
  else await perform(options);
} catch (error) {
  process.exitCode = failed(error);
}

async function perform(options: Options): Promise<void> {
  const { TERM } = process.env;
  const screen = new Screen(options.json ? process.stderr : process.stdout, TERM);
  const report = await run(options, { screen, signal: stop.signal, interrupt: () => interrupt(130) });
  if (options.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  else screen.print(`\n${reportTable(report)}`);
  if (!report.ok) process.exitCode = 1;
}

function interrupt(exitCode: number): void {
  // The second time somebody is impatient.
  if (stop.signal.aborted) process.exit(exitCode);
  stop.abort(new Interruption(exitCode));
}

function failed(error: unknown): number {
  if (error instanceof Interruption) return error.exitCode;
  if (!(error instanceof AshlarError)) {
    console.error(error);
    return 1;
  }
  console.error(`leader: ${error.message}`);
  return error instanceof UsageError ? 2 : 1;
}
