// `npm run with -- pg@8.11.0 @types/pg@8.11.0 npx vitest run packages/store/test/postgres`: runs a command while other
// versions of what the lock file names are in node_modules, and then puts those back.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fail, root } from './install.mjs';

const args = process.argv.slice(2);
const count = args.findIndex(arg => !/^(@[^/@]+\/)?[^/@]+@[^/@]+$/.test(arg));
const wanted = args.slice(0, Math.max(count, 0));
const [command, ...rest] = args.slice(wanted.length);
if (wanted.length === 0 || command === undefined)
  fail('usage: npm run with -- NAME@VERSION [NAME@VERSION ...] COMMAND [argument ...]');

const kept = join(root, 'node_modules/.cache/ashlar-versions');
const aside = join(kept, 'aside');
const folder = join(kept, wanted.join('+').replaceAll('/', '+'));
if (existsSync(aside)) fail('such a run is under way, or was killed; after the latter, run `npm ci`');

// Beside each other, so that they share what they depend on
if (!existsSync(join(folder, 'installed'))) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{}');
  const code = await run('npm', ['install', '--no-save', '--ignore-scripts', ...wanted], folder);
  if (code !== 0) fail(`npm could not install ${wanted.join(' and ')}`);
  writeFileSync(join(folder, 'installed'), '');
}

/** @type {(() => void)[]} */
const undo = [];
try {
  for (const each of wanted) exchange(each.slice(0, each.lastIndexOf('@')));
  process.exitCode = await run(command, rest, root);
} finally {
  for (const step of undo) step();
  rmSync(aside, { recursive: true, force: true });
}

/** @param {string} name of a package */
function exchange(name) {
  const place = join(root, 'node_modules', name);
  const usual = join(aside, name);
  mkdirSync(dirname(usual), { recursive: true });
  renameSync(place, usual);
  undo.push(() => {
    rmSync(place, { force: true });
    renameSync(usual, place);
  });
  symlinkSync(join(folder, 'node_modules', name), place);
}

/**
 * Runs a command to its end, also when a signal comes: it goes to the command too.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {string} cwd
 * @returns {Promise<number>}
 */
function run(command, args, cwd) {
  return new Promise(resolve => {
    const child = spawn(command, args, { cwd, stdio: 'inherit' });
    const signals = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);
    /** @param {NodeJS.Signals} signal */
    const forward = signal => void child.kill(signal);
    for (const signal of signals) process.on(signal, forward);
    const end = (/** @type {number} */ code) => {
      for (const signal of signals) process.off(signal, forward);
      resolve(code);
    };
    child.on('error', () => end(127));
    child.on('close', code => end(code ?? 1));
  });
}
