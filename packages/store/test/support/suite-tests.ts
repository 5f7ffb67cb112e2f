import { type MakeSubject, type StoreFeatures, storeConformance } from '../../src/conformance.ts';

/** The tests of the suite, by name, for one kind of subject. */
export function testsFor(
  makeSubject: MakeSubject,
  features: StoreFeatures = {},
): ReadonlyMap<string, () => Promise<void>> {
  const tests = new Map<string, () => Promise<void>>();
  const it = (name: string, body: () => Promise<void> | void) => tests.set(name, async () => body());
  const runner = { describe: (_: string, body: () => void) => body(), it: Object.assign(it, { skip() {} }) };
  storeConformance(runner, makeSubject, { name: 'a mutant', features });
  return tests;
}
