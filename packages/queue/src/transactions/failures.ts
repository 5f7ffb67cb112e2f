import type { CallOutcome } from '@ashlar/core';
import { QueueClosedError, QueueUnavailableError } from '../errors.ts';

/** What the server says when the connection, its files or it itself end: what became of a commit is not known then. */
export const uncertain: RegExp = /^(08|57P|58|XX|25P03|40003)/;

/** The SQLSTATE of an error that the server reports. */
export function stateOf(error: unknown): string | undefined {
  const { code, severity } = (error ?? {}) as { code?: unknown; severity?: unknown };
  return typeof code === 'string' && typeof severity === 'string' ? code : undefined;
}

/** The session does not know a statement that was prepared in it, or knows another by its name: what stands between, or other code on the pool, has exchanged or cleaned it. */
export const forgotten: RegExp = /^(26000|42P05)$/;

/** An error of a client of PostgreSQL as one of ours. @param advice for a table that is not there */
export function failed(what: string, error: unknown, outcome: CallOutcome, advice = ''): Error {
  if (error instanceof QueueUnavailableError || error instanceof QueueClosedError) return error;
  // Errors of our own are of what the statement has found
  const { code } = (error ?? {}) as { code?: unknown };
  if (typeof code === 'string' && code.startsWith('ASHLAR_')) return error as Error;
  const hint = stateOf(error) === '42P01' ? `; ${advice}` : '';
  const text = error instanceof Error ? error.message : String(error);
  return new QueueUnavailableError(`${what} failed: ${text}${hint}`, outcome, { cause: error });
}

/**
 * Rejects with errors of ours only. @param onLoss what is known of the work when the server has not refused it
 *
 * @throws QueueUnavailableError
 */
export async function asked<T>(what: string, onLoss: CallOutcome, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const state = stateOf(error);
    const isRefused = state !== undefined && !uncertain.test(state);
    throw failed(what, error, isRefused ? 'NotExecuted' : onLoss, '`await outbox.migrate()` makes the table');
  }
}
