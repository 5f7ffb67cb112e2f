import { AshlarError } from '@ashlar/core';
import { UsageError } from './cli/flags.ts';
import { help, type Options, readOptions } from './cli/options.ts';
import type { Report } from './output/report.ts';
import { Screen } from './output/screen.ts';
import { summary } from './output/summary.ts';
import { run } from './run.ts';
import { TraceError } from './workload/read-trace.ts';

/** Why the program ends before its time, and the exit code that tells the shell so. */
class Interruption {
  readonly exitCode: number;

  constructor(exitCode: number) {
    this.exitCode = exitCode;
  }
}

const stop = new AbortController();
for (const [signal, exitCode] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.on(signal, () => {
    // The second time somebody is impatient: the children notice that the channel to them is closed.
    if (stop.signal.aborted) process.exit(exitCode);
    stop.abort(new Interruption(exitCode));
  });
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
  const { TERM, NO_COLOR } = process.env;
  const screen = new Screen(options.json ? process.stderr : process.stdout, { TERM, NO_COLOR });
  const present = (report: Report) => {
    if (options.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
    else screen.print(`\n${summary(report, screen)}`);
    if (report.replays.some(({ errors }) => errors > 0)) process.exitCode = 1;
  };
  await run(options, { screen, present, signal: stop.signal });
}

function failed(error: unknown): number {
  if (error instanceof Interruption) return error.exitCode;
  if (!(error instanceof AshlarError)) {
    console.error(error);
    return 1;
  }
  console.error(`storefront: ${error.message}`);
  return error instanceof UsageError || error instanceof TraceError ? 2 : 1;
}
