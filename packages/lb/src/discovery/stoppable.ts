import type { Discovery } from '../discovery.ts';
import type { Endpoint } from '../endpoint.ts';

/**
 * A discovery that reads anew for each iterator, and ends when the signal aborts or the iterator is left: at once, where
 * a bare generator that waits would first have to wake.
 */
export function stoppable<E extends Endpoint>(
  read: (signal: AbortSignal) => AsyncGenerator<readonly E[]>,
  signal: AbortSignal | undefined,
): Discovery<E> {
  return {
    [Symbol.asyncIterator](): AsyncIterator<readonly E[]> {
      const leaving = new AbortController();
      const ending = signal === undefined ? leaving.signal : AbortSignal.any([signal, leaving.signal]);
      const sets = read(ending);
      const next = async (): Promise<IteratorResult<readonly E[]>> => {
        try {
          return await sets.next();
        } catch (error) {
          if (ending.aborted) return { done: true, value: undefined };
          throw error;
        }
      };
      const leave = async (): Promise<IteratorResult<readonly E[]>> => {
        leaving.abort(new Error('nobody reads this discovery any more'));
        await sets.return(undefined).catch(() => {});
        return { done: true, value: undefined };
      };
      return { next, return: leave };
    },
  };
}
