import { replyCode } from '@ashlar/store/redis-connection';
import { GroupGoneError } from '../../errors.ts';

/** Work of scripts that fail without their group. @throws GroupGoneError */
export async function inGroup<T>(topic: string, group: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (replyCode((error as Error).cause) !== 'NOGROUP') throw error;
    throw new GroupGoneError(topic, group, { cause: error });
  }
}
