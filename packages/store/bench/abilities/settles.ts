import { setTimeout as delay } from 'node:timers/promises';

/** Whether it settles in time, however. */
export async function settles(work: Promise<unknown>, withinMs: number): Promise<boolean> {
  const settled = work.then(
    () => true,
    () => true,
  );
  return Promise.race([settled, delay(withinMs, false)]);
}
