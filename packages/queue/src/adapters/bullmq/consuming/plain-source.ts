import type { GroupQueue } from '../group-queue.ts';
import type { Claimed, Source } from './source.ts';

/** The jobs of a queue as BullMQ hands them out, with its own commands. */
export function plainSource(groupQueue: GroupQueue): Source {
  return {
    fetchesNext: true,
    async claim(_places, makeToken): Promise<Claimed> {
      const token = makeToken();
      const job = await groupQueue.fetch(token);
      return { jobs: job === undefined ? [] : [{ job, token }], moreInMs: groupQueue.moreInMs };
    },
    settled() {},
  };
}
