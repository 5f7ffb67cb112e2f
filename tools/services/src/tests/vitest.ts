export { programAt, startProgram } from './program.ts';

import { describe, it } from 'vitest';
import { available, type Need } from '../programs/provide.ts';
import { skippedFor } from './skip-reason.ts';

/**
 * `describe` for tests that need services. Where one cannot be had, the tests are skipped by name with the
 * reason in the summary; with `CI=true` a test fails instead.
 */
export function describeWith(
  needs: Need | readonly Need[],
  title: string,
  suite: () => void | Promise<void>,
): void {
  describe(title, async () => {
    const missing: string[] = [];
    for (const need of [needs].flat()) {
      const found = await available(need);
      if (!found.ok) missing.push(found.reason);
    }
    if (missing.length === 0) return suite();
    const skipReason = missing.join('; ');
    if (process.env['CI'] === 'true') {
      return it('has the services that it needs', () => {
        throw new Error(skipReason);
      });
    }
    describe('not here', skippedFor(skipReason), suite);
  });
}
