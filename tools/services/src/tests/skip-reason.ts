import type {} from 'vitest';

declare module 'vitest' {
  interface TaskMeta {
    /** Why a suite or test does not run here; the summary at the end of the run says it. */
    skipReason?: string;
  }
}

/** What vitest takes as options of a suite or a test. */
export interface TestChoice {
  readonly skip?: true;
  readonly meta?: { readonly skipReason: string };
}

/** Options that skip a suite or test for this reason, or none that run it. */
export function skippedFor(reason: string | undefined): TestChoice {
  return reason === undefined ? {} : { skip: true, meta: { skipReason: reason } };
}
