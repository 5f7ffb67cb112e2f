import { onAbort } from '@ashlar/core';
import type { Discovery, Endpoint } from '../endpoint.ts';

/**
 * A discovery that reads anew for each iterator, and ends as soon as the signal aborts or the iterator is returned. A bare
 * generator that waits would first have to wake.
 */
export function stoppable<E extends Endpoint>(
  read: (signal: AbortSignal) => AsyncGenerator<readonly E[]>,
  signal: AbortSignal | undefined,
): Discovery<E> {
  return {
    [Symbol.asyncIterator](): AsyncIterator<readonly E[]> {
      const leaving = new AbortController();
      const unlink = signal && onAbort(signal, reason => leaving.abort(reason));
      const sets = read(leaving.signal);
      const next = async (): Promise<IteratorResult<readonly E[]>> => {
        try {
          const item = await sets.next();
          if (item.done) unlink?.();
          return item;
        } catch (error) {
          unlink?.();
          if (leaving.signal.aborted) return { done: true, value: undefined };
          throw error;
        }
      };
      const leave = async (): Promise<IteratorResult<readonly E[]>> => {
        unlink?.();
        leaving.abort(new Error('the reader of this discovery has stopped'));
        await sets.return(undefined).catch(() => {});
        return { done: true, value: undefined };
      };
      return { next, return: leave };
    },
  };
}
