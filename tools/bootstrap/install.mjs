import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { reasonToInstall } from './installed.mjs';
import { runStep } from './step.mjs';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Installs what package-lock.json asks for, if that is not there. Ends the process where that cannot be done. */
export async function install() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    fail(`Ashlar needs Node 20.19 or later, and this is ${process.version} (${process.execPath}).`);
  }
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

/** @param {string} line */
export function say(line) {
  process.stderr.write(`ashlar: ${line}\n`);
}

/**
 * @param {string} line
 * @returns {never}
 */
export function fail(line) {
  say(line);
  process.exit(1);
}
