import { expect } from 'vitest';

/** As `expect.poll`, with time enough on a busy machine. */
export function poll<T>(
  get: () => T,
  { timeout = 10_000 }: { readonly timeout?: number } = {},
): ReturnType<typeof expect.poll<T>> {
  return expect.poll(get, { timeout });
}
