import { AshlarError, type CallOutcome } from '@ashlar/core';
import { StoreUnavailableError } from '../../errors.ts';

/** Answers after which another server, or the same one later, must be asked. */
const elsewhere = new Set(['READONLY', 'LOADING', 'MASTERDOWN', 'CLUSTERDOWN', 'UNBLOCKED']);

/** Answers that mean that nothing was done; with those above. A script stops at its first write. */
const refusals = new Set([
  'OOM',
  'MISCONF',
  'BUSY',
  'TRYAGAIN',
  'NOREPLICAS',
  'NOSCRIPT',
  'NOAUTH',
  'WRONGPASS',
]);

/** Whether the server itself answered so, instead of the connection failing. */
function isReply(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError';
}

export function codeOf(error: unknown): string {
  return isReply(error) ? (error.message.split(' ', 1)[0] ?? '') : '';
}

/** Whether the connection is of no more use. */
export function isFatal(error: unknown): boolean {
  return !isReply(error) || elsewhere.has(codeOf(error));
}

/** Whether trying again is in vain until somebody changes the server or the client's settings. */
export function isRefusal(error: unknown): boolean {
  return error instanceof AshlarError || (isReply(error) && !elsewhere.has(codeOf(error)));
}

/** `outcome` is what holds when nothing is known. */
export function failureOf(error: unknown, outcome: CallOutcome): AshlarError {
  if (error instanceof AshlarError) return error;
  const text = error instanceof Error ? error.message : String(error);
  if (isReply(error)) {
    const code = codeOf(error);
    const isRefused = elsewhere.has(code) || refusals.has(code);
    const known = isRefused ? 'NotExecuted' : outcome;
    return new StoreUnavailableError(`Redis answered: ${text}`, known, { cause: error });
  }
  const isUnsent = text.includes('enableOfflineQueue');
  const known = isUnsent ? 'NotExecuted' : outcome;
  return new StoreUnavailableError(`the connection to Redis failed: ${text}`, known, { cause: error });
}
