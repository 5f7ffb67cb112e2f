/** Milliseconds for which a connection may lie idle and be thought to be as it was. */
const shortMs = 50;

/**
 * What a server has sent to an idle connection, such as that it is ended, is seen when the event loop reads its socket. A
 * process that did nothing for a while, as it was frozen or busy, would send to one that had ended long ago.
 */
export class Arrivals {
  #idleSince = performance.now();

  /** Begins to lie idle. */
  rest(): void {
    this.#idleSince = performance.now();
  }

  /** Resolves when all that has arrived is seen; undefined when there was no time for anything to arrive. */
  seen(): Promise<void> | undefined {
    if (performance.now() - this.#idleSince < shortMs) return undefined;
    return turn().then(turn); // the first may come before sockets are read, the second does not
  }
}

function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
