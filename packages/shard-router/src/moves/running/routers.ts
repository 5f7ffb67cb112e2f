import type { Clock } from '@ashlar/core';
import { CutoverError } from '../../errors/moves.ts';
import type { Maps } from '../../map/maps.ts';

const firstPauseMs = 5;
const maxPauseMs = 200;

/**
 * Resolves when no router goes by an older map than this revision: all entries say so, or have ended. Of a router that has no
 * entry, the copy was not good when it asked last.
 *
 * @throws CutoverError when a router renews its entry, and does not confirm
 */
export async function confirmed(
  maps: Maps,
  move: string,
  revision: number,
  withinMs: number,
  clock: Clock,
  signal: AbortSignal,
  onWait: (words: string) => void,
): Promise<void> {
  const until = clock.now() + withinMs;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(maxPauseMs, pauseMs * 2)) {
    const behind = (await maps.routers()).filter(router => router.revision < revision);
    if (behind.length === 0) return;
    const words = `${behind.length} routers have not confirmed revision ${revision}: ${behind.map(({ id }) => id).join(', ')}`;
    if (clock.now() >= until) throw new CutoverError(move, words);
    onWait(words);
    await clock.sleep(pauseMs, signal);
  }
}
