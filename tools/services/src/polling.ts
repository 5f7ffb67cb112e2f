import { setTimeout as delay } from 'node:timers/promises';

/**
 * Calls `attempt` until it resolves, and gives its result. When it does not within `withinMs`, or `giveUp` has
 * settled, rejects with what the last attempt was rejected with.
 */
export async function eventually<T>(
  attempt: () => Promise<T>,
  { withinMs, giveUp }: { withinMs: number; giveUp?: Promise<unknown> },
): Promise<T> {
  const deadline = performance.now() + withinMs;
  let over = false;
  const settled = giveUp?.finally(() => {
    over = true;
  });
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (over || performance.now() > deadline) throw error;
      await (settled === undefined ? delay(20) : Promise.race([settled, delay(20)]));
    }
  }
}

/** Resolves with what `look` gives as soon as it is not undefined; with undefined when that takes longer than `ms`. */
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
