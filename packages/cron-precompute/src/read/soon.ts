const { setImmediate: later = setTimeout } = globalThis as {
  readonly setImmediate?: (run: () => void) => unknown;
};

/** Lets the event loop serve what came in the meantime. */
export function soon(): Promise<void> {
  return new Promise(resolve => void later(resolve));
}
