interface ErrorLike {
  readonly outcome?: unknown;
  readonly code?: unknown;
  readonly syscall?: unknown;
  readonly errors?: unknown;
  readonly cause?: unknown;
}

/**
 * Whether the error proves that the request was never sent: it says so itself (`outcome: 'NotExecuted'`), or no
 * connection was made. Looks through `cause`, as `fetch` wraps its errors, and through the addresses that were tried.
 */
export function notExecuted(error: unknown, depth = 5): boolean {
  if (typeof error !== 'object' || error === null || depth === 0) return false;
  const { outcome, code, syscall, errors, cause } = error as ErrorLike;
  if (outcome !== undefined) return outcome === 'NotExecuted';
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || syscall === 'connect' || syscall === 'getaddrinfo') return true;
  if (Array.isArray(errors) && errors.length > 0) return errors.every(each => notExecuted(each, depth - 1));
  return notExecuted(cause, depth - 1);
}
