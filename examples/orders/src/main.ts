import { runProgram, Screen } from '@workspace/program';
import { help, readOptions } from './cli/options.ts';
import { reportTable } from './output/report.ts';
import { run } from './run.ts';

await runProgram('orders', async (args, { signal }) => {
  const options = readOptions(args);
  if (options === undefined) return void process.stdout.write(help());
  const { TERM, NO_COLOR } = process.env;
  const screen = new Screen(options.json ? process.stderr : process.stdout, { TERM, NO_COLOR });
  const report = await run(options, { screen, signal });
  if (options.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  else screen.print(`\n${reportTable(report, screen)}`);
  if (!report.ok) process.exitCode = 1;
});
