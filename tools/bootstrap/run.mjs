// `npm start`, also of an example, and `npm test` on a machine that has nothing but Node and npm: installs the packages
// if that is due, builds what has changed, and then becomes the program. Plain JavaScript without dependencies, because
// it runs first.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { fail, install, root, say } from './install.mjs';
import { endWithParent } from './parent.mjs';
import { runStep } from './step.mjs';
import { runTests } from './tests.mjs';

const [name = '', ...args] = process.argv.slice(2);
const task = taskOf(name);
if (task === undefined) fail('usage: node tools/bootstrap/run.mjs test|start|start:EXAMPLE [arguments]');

endWithParent();
process.chdir(root);
await install();
await build(task.build);
const program = join(root, task.program);
if (name === 'test' && args.length === 0) {
  const end = await runTests(program);
  if (typeof end === 'number') process.exitCode = end;
  else process.kill(process.pid, end);
} else {
  process.argv = [process.execPath, program, ...task.args, ...args];
  await import(pathToFileURL(program).href);
}

/**
 * @param {string} task
 * @returns {{ program: string, args: string[], build: string[] } | undefined}
 */
function taskOf(task) {
  if (task === 'test') {
    const build = ['--filter=!@workspace/docs']; // the site is built by `npm run docs`
    return { program: 'node_modules/vitest/vitest.mjs', args: ['run'], build };
  }
  const start = /^start(?::([a-z]+))?$/.exec(task);
  if (start === null) return undefined;
  const [, example = 'storefront'] = start;
  if (!existsSync(join(root, 'examples', example))) return undefined;
  const build = [`--filter=@ashlar-examples/${example}`];
  return { program: `examples/${example}/dist/main.js`, args: [], build };
}

/** @param {readonly string[]} filters */
async function build(filters) {
  const slow = setTimeout(() => say('building the packages with `turbo run build`'), 1_000);
  const turbo = join(root, 'node_modules/turbo/bin/turbo');
  const quiet = ['--output-logs=errors-only', '--ui=stream', '--no-color'];
  const { code, output } = await runStep(process.execPath, [turbo, 'run', 'build', ...quiet, ...filters], {
    TURBO_TELEMETRY_DISABLED: '1',
    TURBO_NO_UPDATE_NOTIFIER: '1',
    DO_NOT_TRACK: '1',
  });
  clearTimeout(slow);
  if (code === 0) return;
  process.stderr.write(output);
  fail(`\`turbo run build\` failed (exit code ${code}).`);
}
