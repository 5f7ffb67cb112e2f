import { AshlarError, type CallOutcome, withoutCredentials, withoutSecrets } from '@ashlar/core';

/**
 * Makes the errors of the package that uses the connection. `outcome` says whether the command may have been executed;
 * keep the `cause`.
 */
export interface LinkErrors {
  /** The command was not answered in time; its connection ends. */
  timedOut(command: string, timeoutMs: number, outcome: CallOutcome): Error;
  /** No connection in time, or the connection was lost. */
  unavailable(message: string, outcome: CallOutcome, cause: unknown): Error;
  /** Redis answered with an error, to a command or to a new connection. */
  refused(message: string, outcome: CallOutcome, cause: unknown): Error;
  /** The link was closed before or during the call. */
  closed(outcome: CallOutcome): Error;
}

/** Replies that send a client to another server, or to the same one later. */
const elsewhere = new Set(['ELSEWHERE', 'READONLY', 'LOADING', 'MASTERDOWN', 'CLUSTERDOWN', 'UNBLOCKED']);

/** More replies after which nothing was executed. A script stops at its first write. */
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

/** Whether the server answered with this error; otherwise the connection failed. */
export function isReply(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError';
}

/** The code of an error that Redis answered with, such as `NOPERM`; '' of any other error. */
export function replyCode(error: unknown): string {
  return isReply(error) ? (error.message.split(' ', 1)[0] ?? '') : '';
}

/** What servers say when a script runs a command that the user may not: Redis 6, 7.0, and later ones with Valkey. */
const forbiddenInScript = /\bNOPERM\b|user executing the script|ACL failure in script/;

/** Whether the user may not do it: the command itself, or one that a script runs. */
export function isForbidden(error: unknown): boolean {
  const code = replyCode(error);
  return code === 'NOPERM' || (code === 'ERR' && forbiddenInScript.test(String(error)));
}

/** Whether the connection is of no more use. */
export function isFatal(error: unknown): boolean {
  return !isReply(error) || elsewhere.has(replyCode(error));
}

/** Whether reconnecting is in vain until the server or the settings of the client are changed. */
export function isRefusal(error: unknown): boolean {
  return error instanceof AshlarError || (isReply(error) && !elsewhere.has(replyCode(error)));
}

/** How a message ends, as logs often have the message alone. Of several addresses, the error of Node has a code and no words. */
export function because(failure: unknown): string {
  const { message, code } = Object(withoutCredentials(failure)) as Readonly<Record<string, unknown>>;
  const words = message || code;
  return typeof words === 'string' ? `: ${withoutSecrets(words)}` : '';
}

/** @param outcome what is known when the error does not say it */
export function failureOf(errors: LinkErrors, error: unknown, outcome: CallOutcome): Error {
  if (error instanceof AshlarError) return error;
  withoutCredentials(error);
  const text = error instanceof Error ? error.message : String(error);
  if (isReply(error)) {
    const code = replyCode(error);
    const known = elsewhere.has(code) || refusals.has(code) ? 'NotExecuted' : outcome;
    return errors.refused(`Redis answered: ${text}`, known, error);
  }
  const known = text.includes('enableOfflineQueue') ? 'NotExecuted' : outcome;
  return errors.unavailable(`the connection to Redis failed: ${text}`, known, error);
}
