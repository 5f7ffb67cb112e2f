import type { Commands } from '@ashlar/store/redis-connection';
import { GroupGoneError } from '../../errors.ts';
import type { GroupQueue } from './group-queue.ts';
import { aliveScript } from './scripts/topics.ts';

/**
 * Whether a group is declared, and its queue was not obliterated since. Also ends a pause in the search for stalled jobs that
 * is longer than `checkMs`.
 *
 * @throws GroupGoneError
 */
export async function checkGroup(
  commands: Commands,
  record: string,
  groupQueue: GroupQueue,
  checkMs: number = 2 ** 31,
): Promise<void> {
  const { topic, group } = groupQueue;
  const keys = [record, groupQueue.key('meta'), groupQueue.key('stalled-check')];
  const isThere = await commands.script(aliveScript, [...keys, group, Math.ceil(checkMs)], {
    outcome: 'NotExecuted',
  });
  if (isThere !== 1) throw new GroupGoneError(topic, group);
}
