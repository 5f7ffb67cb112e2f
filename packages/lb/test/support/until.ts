import { vi } from 'vitest';

/** Resolves when the expectation holds, for as long as a busy machine may take. */
export function until(holds: () => void | Promise<void>): Promise<void> {
  return vi.waitFor(holds, { timeout: 15_000, interval: 10 });
}
