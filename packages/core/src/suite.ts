import { record } from './options/options.ts';
import { defaultTo, listOf, objectWith, type Rule, type RulesFor, required, text } from './options/rules.ts';

/** What a conformance suite needs of a test runner; vitest, `node:test`, Jest and mocha have it. */
export interface TestRunner {
  describe(name: string, body: () => void): unknown;
  it: ((name: string, body: () => Promise<void> | void) => unknown) & { skip(name: string): unknown };
}

/** A test that a backend cannot pass, and why. */
export interface Skip {
  readonly test: string;
  readonly reason: string;
}

/** Of the `runner` of a conformance suite. */
export const runnerRule: Rule<TestRunner> = /* @__PURE__ */ required(
  /* @__PURE__ */ objectWith<TestRunner>(
    ['describe', 'it'],
    'write `{ describe, it }`, imported from the test runner',
  ),
  'write `{ describe, it }`',
);

/** Of the tests that it is to skip. Default: none. */
export const skipRule: Rule<readonly Skip[]> = /* @__PURE__ */ (() => {
  const fields = { test: required(text()), reason: required(text()) } satisfies RulesFor<Skip>;
  return defaultTo<readonly Skip[]>([], listOf(record(fields)));
})();

/** Hands tests to the runner. The skipped ones appear with their reason; a skip that fits no test is an error. */
export function suite(
  { describe, it }: TestRunner,
  name: string,
  tests: Readonly<Record<string, () => Promise<void> | void>>,
  skip: readonly Skip[] = [],
): void {
  for (const { test } of skip) {
    if (!Object.hasOwn(tests, test)) throw new Error(`"${name}" has no test "${test}" to skip`);
  }
  describe(name, () => {
    for (const [test, body] of Object.entries(tests)) {
      const skipped = skip.find(other => other.test === test);
      if (skipped === undefined) it(test, body);
      else it.skip(`${test} (${skipped.reason})`);
    }
  });
}

/** Tests that each make a subject of their own, and dispose of it also when they fail. */
export function onSubjects<S extends AsyncDisposable>(
  make: () => Promise<S>,
  tests: Readonly<Record<string, (subject: S) => Promise<void>>>,
): Record<string, () => Promise<void>> {
  const bound = Object.entries(tests).map(([title, test]) => {
    const body = async () => {
      const subject = await make();
      try {
        await test(subject);
      } finally {
        await subject[Symbol.asyncDispose]();
      }
    };
    return [title, body] as const;
  });
  return Object.fromEntries(bound);
}
