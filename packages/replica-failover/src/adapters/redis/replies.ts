/** Errors before which nothing was executed, and which another server, or the same one later, may not give. */
const refusals = new Set(['READONLY', 'LOADING', 'MASTERDOWN', 'NOREPLICAS', 'CLUSTERDOWN']);

/** Those of a server that cannot even read. */
const inabilities = new Set(['LOADING', 'MASTERDOWN']);

/** Whether the server has no data to read now. */
export function isInability(error: unknown): boolean {
  return isReply(error) && inabilities.has(error.message.split(' ', 1)[0]!);
}

/** Whether the server answered with this error; otherwise the connection failed. */
export function isReply(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError';
}

/**
 * Whether the server did nothing of a command or a transaction, since it is no primary, has too few replicas or has not yet
 * loaded its data.
 */
export function isRefusal(error: unknown): boolean {
  if (!isReply(error)) return false;
  const [code = ''] = error.message.split(' ', 1);
  if (code !== 'EXECABORT') return refusals.has(code);
  const { previousErrors } = error as { readonly previousErrors?: readonly unknown[] };
  if (previousErrors !== undefined) return previousErrors.some(isRefusal);
  const reason = /because of: (\w+)/.exec(error.message)?.[1];
  return reason !== undefined && refusals.has(reason);
}
