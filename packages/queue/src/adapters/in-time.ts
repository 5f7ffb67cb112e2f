/** A timer that fires later than this was held up. */
const heldUpMs = 20;
/** Time enough to read what arrived meanwhile: timers come before I/O. */
const graceMs = 10;

/**
 * Settles as `work` does, or rejects with what `late` makes after so many milliseconds. The work itself goes on. An answer
 * that has arrived while the event loop stood still is in time.
 */
export function inTime<T>(work: Promise<T>, timeoutMs: number, late: () => Error): Promise<T> {
  // Each message or statement has one: so no race, no signal, and no function that waits
  return new Promise((resolve, reject) => {
    const endsAt = performance.now() + timeoutMs;
    const expired = () => reject(late());
    let timer = setTimeout(() => {
      if (performance.now() - endsAt > heldUpMs) timer = setTimeout(expired, graceMs);
      else expired();
    }, timeoutMs);
    work.then(
      value => {
        clearTimeout(timer);
        resolve(value);
      },
      error => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
