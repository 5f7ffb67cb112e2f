/** The connection itself, the server's end, its files, its own faults; and what says that it does not know. */
const uncertain = /^(08|57P|58|XX|25P03|40003)/;

/**
 * Whether the error says that a single statement did not take effect. An error that the server reports undoes the
 * statement, unless it comes with the end of the session: that may have come between the commit and the reply.
 */
export function wasUndone(error: unknown): boolean {
  const state = stateOf(error);
  return state !== undefined && !uncertain.test(state);
}

/** Undone because of others, and worth trying again: a serialization failure, a deadlock. */
export function isPassing(error: unknown): boolean {
  const state = stateOf(error);
  return state === '40001' || state === '40P01';
}

/** A prepared statement that is there unexpectedly, or is not: sessions do not stay on their connections. */
export function isMixedUp(error: unknown): boolean {
  const state = stateOf(error);
  return state === '42P05' || state === '26000';
}

/** The SQLSTATE of an error that the server reports; other errors may have codes too, but no severity. */
function stateOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, severity } = error as { code?: unknown; severity?: unknown };
  return typeof code === 'string' && typeof severity === 'string' ? code : undefined;
}
