import { setTimeout as delay } from 'node:timers/promises';

/** Whether it settles in time, however. */
export async function settles(work: Promise<unknown>, withinMs: number): Promise<boolean> {
  const settled = work.then(
    () => true,
    () => true,
  );
  return Promise.race([settled, delay(withinMs, false)]);
}

/** Whether it comes to be in time. */
export async function comesToBe(isSo: () => Promise<boolean> | boolean, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (performance.now() < deadline) {
    if (await isSo()) return true;
    await delay(20);
  }
  return false;
}
