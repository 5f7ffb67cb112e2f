import { runProgram, Screen } from '@workspace/program';
import { help, readOptions } from './cli/options.ts';
import type { Report } from './output/report.ts';
import { summary } from './output/summary.ts';
import { run } from './run.ts';

await runProgram('storefront', async (args, { signal }) => {
  const options = readOptions(args);
  if (options === undefined) return void process.stdout.write(help());
  const { TERM, NO_COLOR } = process.env;
  const screen = new Screen(options.json ? process.stderr : process.stdout, { TERM, NO_COLOR });
  const present = (report: Report) => {
    if (options.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
    else screen.print(`\n${summary(report, screen)}`);
    const isAmiss = ({ errors, orders }: Report['replays'][number]) => errors > 0 || (orders?.lost ?? 0) > 0;
    if (report.replays.some(isAmiss)) process.exitCode = 1;
  };
  await run(options, { screen, present, signal });
});
