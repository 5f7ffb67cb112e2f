import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// More than this is no chance.
const mostFilesAgain = 10;

/**
 * Runs every test. Files that failed beside others then run once more, alone: many servers and processes share few
 * cores, and what a test waits for can come too late. What fails alone as well fails the run; what passes alone is
 * listed, as a test that is to be mended.
 *
 * @param {string} vitest the path of its program
 * @returns {Promise<number | NodeJS.Signals>} the exit code, or the signal that ended the run
 */
export async function runTests(vitest) {
  const folder = mkdtempSync(join(tmpdir(), 'ashlar-tests-'));
  try {
    const first = await run(vitest, [], join(folder, 'first.json'));
    if (first.end === 0 || first.report === undefined) return first.end;
    const { report } = first;
    const files = Object.keys(report.failures);
    if (files.length === 0 || files.length > mostFilesAgain || report.elsewhere > 0) return first.end;

    say(`\nThese failed beside others, and run again alone:\n${list(files)}\n`);
    const again = await run(vitest, [...files, '--maxWorkers=1'], join(folder, 'again.json'));
    if (again.report !== undefined) {
      if (again.end === 0) say(`\nFailed beside others, passed alone:\n${list(names(report.failures))}`);
      say(`\n${closingLine(report, again.report)}`);
    }
    return again.end;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * What the reporter in tools/services/src/tests/runs/summary.ts says of a run.
 *
 * @typedef {{ passed: number, failed: number, skipped: number }} Tally
 * @typedef {Tally & { names: string[] }} Failure
 * @typedef {Tally & { failures: Record<string, Failure>, elsewhere: number }} Report
 */

/**
 * @param {string} vitest
 * @param {readonly string[]} args
 * @param {string} path where the run reports to
 * @returns {Promise<{ end: number | NodeJS.Signals, report: Report | undefined }>}
 */
function run(vitest, args, path) {
  return new Promise(resolve => {
    const env = { ...process.env, ASHLAR_TEST_REPORT: path };
    const child = spawn(process.execPath, [vitest, 'run', ...args], { env, stdio: 'inherit' });
    // The tests end their servers first. A terminal sends Ctrl-C to both already, and a second one means "at once".
    const signals = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);
    /** @type {NodeJS.Signals | undefined} */
    let interrupted;
    /** @param {NodeJS.Signals} signal */
    const forward = signal => {
      interrupted = signal;
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    };
    for (const signal of signals) process.on(signal, forward);
    child.on('close', (code, signal) => {
      for (const each of signals) process.off(each, forward);
      const end = interrupted ?? code ?? signal ?? 1;
      resolve({ end, report: interrupted === undefined ? read(path) : undefined });
    });
  });
}

/**
 * @param {string} path
 * @returns {Report | undefined} nothing of a run that ended before its end
 */
function read(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/** @param {Record<string, Failure>} failures */
function names(failures) {
  return Object.entries(failures).flatMap(([file, failure]) =>
    failure.names.map(name => `${file} > ${name}`),
  );
}

/**
 * @param {Report} first
 * @param {Report} again of all files that failed first
 */
function closingLine(first, again) {
  const failures = Object.values(first.failures);
  /** @param {'passed' | 'skipped'} what */
  const sum = what => failures.reduce((rest, failure) => rest - failure[what], first[what]) + again[what];
  return `${sum('passed')} passed, ${again.failed} failed, ${sum('skipped')} skipped`;
}

/** @param {readonly string[]} lines */
function list(lines) {
  return lines.map(line => `  ${line}`).join('\n');
}

/** @param {string} text */
function say(text) {
  process.stdout.write(`${text}\n`);
}
