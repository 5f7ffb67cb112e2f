import { QueueUnavailableError } from '../errors.ts';

/** The most rows that one statement changes for an operator, so that none takes long or holds much. */
const chunkRows = 500;

/** What one statement has changed, and the time of the first one, as the server writes it. */
export interface Chunk {
  readonly count: number;
  readonly began: string;
}

/**
 * Changes rows some at a time, each time in a transaction, until there are no more or so many. What comes to be after the
 * first is left alone: a message that is sent again may be dead again by now.
 *
 * @throws QueueUnavailableError with outcome `Unknown` when an earlier part is done
 */
export async function inChunks(
  what: string,
  limit: number | undefined,
  change: (limit: number, began: string | undefined) => Promise<Chunk>,
): Promise<number> {
  let done = 0;
  let began: string | undefined;
  for (let left = limit ?? Infinity; left > 0; left = (limit ?? Infinity) - done) {
    const rows = Math.min(left, chunkRows);
    let chunk: Chunk;
    try {
      chunk = await change(rows, began);
    } catch (error) {
      if (done === 0) throw error;
      const text = error instanceof Error ? error.message : String(error);
      throw new QueueUnavailableError(`${what} has ended after ${done}: ${text}`, 'Unknown', {
        cause: error,
      });
    }
    done += chunk.count;
    began = chunk.began;
    if (chunk.count < rows) break;
  }
  return done;
}
