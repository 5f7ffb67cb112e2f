/** What may be sent again whatever became of it (RFC 9110, 9.2.2). */
export const idempotentMethods: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'PUT',
  'DELETE',
]);

/** With these an endpoint says that it cannot serve at the moment; another may. */
export const unavailable: ReadonlySet<number> = new Set([502, 503, 504]);
