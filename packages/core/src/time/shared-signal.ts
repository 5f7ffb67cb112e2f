interface Shared {
  readonly listeners: Set<(reason: unknown) => void>;
  readonly tell: () => void;
}

const shared = new WeakMap<AbortSignal, Shared>();

/**
 * Listens for the abort of a signal that has many listeners, such as that of a whole process: together they use one
 * listener of it, because Node warns of a leak from the eleventh on. Returns a function that stops listening and leaves
 * nothing on the signal; for each `AbortSignal.any`, Node 20 keeps a reference for as long as the signal lives. Calls the
 * listener at once when the signal has aborted already.
 */
export function onAbort(signal: AbortSignal, listener: (reason: unknown) => void): () => void {
  if (signal.aborted) {
    listener(signal.reason);
    return () => {};
  }
  const { listeners, tell } = shared.get(signal) ?? share(signal);
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    signal.removeEventListener('abort', tell);
    shared.delete(signal);
  };
}

function share(signal: AbortSignal): Shared {
  const listeners: Shared['listeners'] = new Set();
  const tell = () => {
    for (const listener of listeners) listener(signal.reason);
  };
  signal.addEventListener('abort', tell);
  const entry = { listeners, tell };
  shared.set(signal, entry);
  return entry;
}
