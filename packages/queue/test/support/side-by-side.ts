import type { TestRunner } from '@ashlar/core/testing';
import { describe, it } from 'vitest';

/** Runs the tests of the conformance suite side by side, as most of them wait for time, but for those that break connections. */
export const sideBySide: TestRunner = {
  describe,
  it: Object.assign(
    (name: string, body: () => Promise<void> | void) =>
      (name.includes('connections') ? it : it.concurrent)(name, body),
    { skip: (name: string) => it.skip(name) },
  ),
};
