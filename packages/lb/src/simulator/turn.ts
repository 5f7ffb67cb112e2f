/** Resolves when everything that was ready has run: microtasks are over before the next task begins. */
export function turn(): Promise<void> {
  if (typeof setImmediate === 'function') return new Promise(resolve => setImmediate(resolve));
  // A browser's timers would make thousands of turns take minutes
  return new Promise(resolve => {
    const { port1, port2 } = new MessageChannel();
    const received = () => {
      port1.close();
      resolve();
    };
    port1.addEventListener('message', received, { once: true });
    port1.start();
    port2.postMessage(undefined);
  });
}
