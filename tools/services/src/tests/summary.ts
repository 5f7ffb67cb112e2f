import { writeSync } from 'node:fs';
import type { Reporter, TestCase, TestModule, TestSuite, Vitest } from 'vitest/node';
import './skip-reason.ts';

const noReason = 'no reason given';

/** What became of the tests of a run. */
interface Tally {
  passed: number;
  failed: number;
  skipped: number;
  /** The names of the skipped tests, by reason. */
  readonly reasons: Map<string, string[]>;
}

/**
 * A reporter of vitest that says, after all others, what was skipped and why, and closes the output with the
 * plain line `N passed, N failed, N skipped`. With `CI=true` a run in which no test ran fails.
 */
export default class Summary implements Reporter {
  onInit(vitest: Vitest): void {
    // Not at the end of the test run: vitest may still write, and fail, after that.
    process.once('exit', () => {
      const tally = count(vitest.state.getTestModules());
      if (tally.failed === 0 && vitest.state.getUnhandledErrors().length > 0) tally.failed = 1;
      const nothingRan = tally.passed + tally.failed === 0;
      if (nothingRan && process.env['CI'] === 'true' && !process.exitCode) process.exitCode = 1;
      const notSelected = vitest.config.testNamePattern !== undefined && tally.reasons.get(noReason);
      if (notSelected) tally.reasons.delete(noReason);
      const footnote = notSelected ? `Not selected by name: ${notSelected.length}\n` : '';
      writeSync(1, `\n${listSkipped(tally)}${footnote}${closingLine(tally)}`);
    });
  }
}

function count(modules: readonly TestModule[]): Tally {
  const tally: Tally = { passed: 0, failed: 0, skipped: 0, reasons: new Map() };
  for (const module of modules) {
    for (const test of module.children.allTests()) add(tally, test);
    // A file that could not be read, or a hook that threw: no test of its own fails by it.
    tally.failed += [module, ...module.children.allSuites()].filter(isBroken).length;
  }
  return tally;
}

function isBroken(suite: TestModule | TestSuite): boolean {
  return suite.errors().length > 0;
}

function add(tally: Tally, test: TestCase): void {
  const result = test.result();
  if (result.state === 'passed') tally.passed += 1;
  else if (result.state === 'failed') tally.failed += 1;
  else {
    tally.skipped += 1;
    const reason = (result.state === 'skipped' && result.note) || reasonAbove(test);
    const name = `${test.module.relativeModuleId} > ${test.fullName}`;
    tally.reasons.set(reason, [...(tally.reasons.get(reason) ?? []), name]);
  }
}

function reasonAbove(test: TestCase): string {
  for (let at: TestCase | TestSuite | TestModule = test; ; at = at.parent) {
    const { skipReason } = at.meta();
    if (skipReason !== undefined) return skipReason;
    if (at.type !== 'test' && isBroken(at)) return 'its set-up failed';
    if (at.type === 'module') break;
  }
  return test.result().state === 'pending' ? 'the run ended before it' : noReason;
}

function listSkipped({ reasons }: Tally): string {
  return [...reasons]
    .map(([reason, names]) => [`Skipped: ${reason}`, ...names, ''].join('\n  ').trimEnd() + '\n')
    .join('');
}

function closingLine({ passed, failed, skipped }: Tally): string {
  return `\n${passed} passed, ${failed} failed, ${skipped} skipped\n`;
}
