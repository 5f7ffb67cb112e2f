import { writeFile } from 'node:fs/promises';
import { runProgram, Screen, userPath } from '@workspace/program';
import { help, readOptions } from './cli/options.ts';
import { reportText } from './output/report.ts';
import { svg } from './output/svg.ts';
import { run } from './run.ts';

await runProgram('nightly', async (args, { signal }) => {
  const options = readOptions(args);
  if (options === undefined) return void process.stdout.write(help());
  const { TERM, NO_COLOR } = process.env;
  const screen = new Screen(options.json ? process.stderr : process.stdout, { TERM, NO_COLOR });
  const report = await run(options, { screen, signal });
  if (options.svg !== undefined) await writeFile(userPath(options.svg), svg(report));
  if (options.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  else screen.print(`\n${reportText(report)}`);
  if (!report.ok) process.exitCode = 1;
});
