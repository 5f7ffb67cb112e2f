import { StaleMoveError } from '../errors/moves.ts';
import { ShardFailedError } from '../errors/statements.ts';
import type { MoveContext } from './move-backend.ts';

/** How long one that is said to be lost has to answer, in milliseconds. */
const answerMs = 10_000;

/**
 * What a shard is asked when a move ends; undefined when the shard is lost and does not answer. One that answers after all does its part.
 *
 * @throws ShardFailedError when it does not answer, and nobody has said that it is lost; StaleMoveError
 */
export async function unlessLost<T>(
  shard: string,
  { lost, signal }: Pick<MoveContext, 'lost' | 'signal'>,
  ask: (signal: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  const isLost = lost === shard;
  try {
    return await ask(isLost ? AbortSignal.any([signal, AbortSignal.timeout(answerMs)]) : signal);
  } catch (error) {
    if (signal.aborted || error instanceof StaleMoveError) throw error;
    // An error of its own is an answer of the server
    if (isLost && !isAnswer(error)) return undefined;
    throw error instanceof ShardFailedError ? error : new ShardFailedError(shard, error);
  }
}

function isAnswer(error: unknown): boolean {
  return error instanceof Error && ('severity' in error || error.name === 'ReplyError');
}
