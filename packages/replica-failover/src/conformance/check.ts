import { sleep } from '@ashlar/core';

/** Assertions, so that the suite needs no library of any runner. */
export function equal(actual: unknown, expected: unknown, what: string): void {
  if (actual !== expected) throw new Error(`${what}: expected ${String(expected)}, got ${String(actual)}`);
}

/** The error that the promise rejects with, which must be of this class. */
export async function rejection<E extends Error>(
  promise: Promise<unknown>,
  type: abstract new (...parameters: never[]) => E,
): Promise<E> {
  const result = await promise.then(
    value => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ('error' in result && result.error instanceof type) return result.error;
  const got =
    'error' in result ? `rejected with ${String(result.error)}` : `resolved with ${String(result.value)}`;
  throw new Error(`expected to reject with ${type.name}, ${got}`);
}

/** Waits until it is so, ten seconds at most. */
export async function until(isSo: () => Promise<boolean> | boolean, what: string): Promise<void> {
  for (let attempt = 0; attempt < 1_000; attempt++) {
    if (await isSo()) return;
    await sleep(10);
  }
  throw new Error(`it did not come to be that ${what}`);
}
