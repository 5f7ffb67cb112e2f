import 'vitest';

declare module 'vitest' {
  interface TaskMeta {
    /** Why a suite or test does not run here; the summary at the end of the run tells it. */
    skipReason?: string;
  }
}
