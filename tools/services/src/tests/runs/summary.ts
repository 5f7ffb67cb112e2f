import { writeFileSync, writeSync } from 'node:fs';
import type { Reporter, TestCase, TestModule, TestSuite, Vitest } from 'vitest/node';
import '../skip-reason.ts';

const noReason = 'no reason given';

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** What became of the tests of a run. */
interface Tally extends Counts {
  /** The names of the skipped tests, by reason. */
  readonly reasons: Map<string, string[]>;
}

/** What `npm test` reads of a run, to run again what failed. */
interface Report extends Counts {
  /** Each file in which something failed, by its path. */
  failures: Record<string, Counts & { names: string[] }>;
  /** Errors that belong to no file. */
  elsewhere: number;
}

/**
 * A reporter of vitest that says, after all others, what was skipped and why, and closes the output with the
 * plain line `N passed, N failed, N skipped`. With `CI=true` a run in which no test ran fails. It writes a report to
 * the file that `ASHLAR_TEST_REPORT` names.
 */
export default class Summary implements Reporter {
  onInit(vitest: Vitest): void {
    const { ASHLAR_TEST_REPORT: path } = process.env;
    delete process.env['ASHLAR_TEST_REPORT']; // it is not for the programs that tests start
    // Not at the end of the test run: vitest may still write, and fail, after that.
    process.once('exit', () => {
      const modules = vitest.state.getTestModules();
      const tally = count(modules);
      const unhandled = vitest.state.getUnhandledErrors();
      if (tally.failed === 0 && unhandled.length > 0) tally.failed = 1;
      const nothingRan = tally.passed + tally.failed === 0;
      if (nothingRan && process.env['CI'] === 'true' && !process.exitCode) process.exitCode = 1;
      const notSelected = vitest.config.testNamePattern !== undefined && tally.reasons.get(noReason);
      if (notSelected) tally.reasons.delete(noReason);
      const footnote = notSelected ? `Not selected by name: ${notSelected.length}\n` : '';
      writeSync(1, `\n${listSkipped(tally)}${footnote}${closingLine(tally)}`);
      if (path) writeFileSync(path, JSON.stringify(report(tally, modules, unhandled)));
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

function report(
  { passed, failed, skipped }: Tally,
  modules: readonly TestModule[],
  unhandled: readonly unknown[],
): Report {
  const failures: Report['failures'] = {};
  let elsewhere = 0;
  const origins = unhandled.map(error => (error as { VITEST_TEST_PATH?: string }).VITEST_TEST_PATH);
  for (const module of modules) {
    const tally = count([module]);
    if (tally.failed === 0 && !origins.includes(module.moduleId)) continue;
    const tests = [...module.children.allTests('failed')].map(test => test.fullName);
    failures[module.relativeModuleId] = {
      passed: tally.passed,
      failed: tally.failed,
      skipped: tally.skipped,
      names: tests.length > 0 ? tests : ['outside its tests'],
    };
  }
  const files = new Set(modules.map(module => module.moduleId));
  for (const origin of origins) if (origin === undefined || !files.has(origin)) elsewhere += 1;
  return { passed, failed, skipped, failures, elsewhere };
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
