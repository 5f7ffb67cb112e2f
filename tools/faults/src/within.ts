import { setTimeout as delay } from 'node:timers/promises';

/** Resolves with what `look` gives as soon as it is not undefined; with undefined when that takes too long. */
export async function within<T>(
  ms: number,
  look: () => T | undefined | Promise<T | undefined>,
): Promise<T | undefined> {
  const deadline = performance.now() + ms;
  for (;;) {
    const found = await look();
    if (found !== undefined || performance.now() > deadline) return found;
    await delay(5);
  }
}
