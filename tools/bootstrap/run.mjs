// `npm start` and `npm test` on a machine that has nothing but Node and npm: installs the packages if that is due,
// builds what has changed, and then becomes the program. Plain JavaScript without dependencies, because it runs first.
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { reasonToInstall } from './installed.mjs';
import { runStep } from './step.mjs';
import { runTests } from './tests.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const tasks = {
  start: {
    program: 'examples/storefront/dist/main.js',
    args: [],
    build: ['--filter=@ashlar-examples/storefront'],
  },
  test: {
    program: 'node_modules/vitest/vitest.mjs',
    args: ['run'],
    build: ['--filter=!@workspace/docs'], // the site is built by `npm run docs`
  },
};

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  fail(`Ashlar needs Node 20.19 or later, and this is ${process.version} (${process.execPath}).`);
}

const [name = '', ...args] = process.argv.slice(2);
const task = new Map(Object.entries(tasks)).get(name);
if (task === undefined)
  fail(`usage: node tools/bootstrap/run.mjs ${Object.keys(tasks).join('|')} [arguments]`);

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

async function install() {
  const reason = reasonToInstall(root);
  if (reason === undefined) return;
  say(`installing packages with \`npm ci\`: ${reason}`);
  const { npm_execpath: npm } = process.env;
  const [command, ...first] = npm?.endsWith('npm-cli.js') ? [process.execPath, npm] : ['npm'];
  const flags = ['ci', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const { code, output } = await runStep(command, [...first, ...flags], {});
  if (code === 0) return;
  process.stderr.write(output);
  const help = output.includes('EUSAGE')
    ? 'package.json and package-lock.json disagree: run `npm install`, then try again.'
    : 'Is the npm registry in reach (`npm ping`)? Then run `npm ci` by hand, or delete node_modules and try again.';
  fail(`\`npm ci\` failed (exit code ${code}). ${help}`);
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

/** @param {string} line */
function say(line) {
  process.stderr.write(`ashlar: ${line}\n`);
}

/**
 * @param {string} line
 * @returns {never}
 */
function fail(line) {
  say(line);
  process.exit(1);
}
