import type { Commands } from '@ashlar/store/redis-connection';
import type { DeadLetterSelection } from '../../dead-letters.ts';
import { latestDeathScript, takeDeadScript } from './scripts/dead-letters.ts';

/** How many letters one script takes, so that it does not hold up the server. */
const pageSize = 100;

/**
 * Takes dead letters away, page by page, and sends them again or not. Those that die meanwhile stay. Returns how many it
 * took.
 */
export async function takeDead(
  commands: Commands,
  stream: string,
  group: string,
  { ids, limit = Number.MAX_SAFE_INTEGER }: DeadLetterSelection,
  again: boolean,
): Promise<number> {
  const take = async (most: number, latest: string, chosen: readonly string[]) => {
    const args = [stream, group, again ? 1 : 0, most, latest, ...chosen];
    return (await commands.script(takeDeadScript, args)) as [taken: number, seen: number, found: number];
  };
  let taken = 0;
  if (ids !== undefined) {
    let at = 0;
    do {
      // Of none too: it says whether there is a group
      const [more, seen] = await take(limit - taken, '', ids.slice(at, at + pageSize));
      taken += more;
      at += seen;
    } while (at < ids.length && taken < limit);
    return taken;
  }
  const latest = await commands.script(latestDeathScript, [stream, group], { outcome: 'NotExecuted' });
  if (latest === null) return 0;
  for (;;) {
    const most = Math.min(pageSize, limit - taken);
    const [more, seen, found] = await take(most, latest as string, []);
    taken += more;
    const isAll = seen === found && found < most;
    if (isAll || taken >= limit) return taken;
  }
}
