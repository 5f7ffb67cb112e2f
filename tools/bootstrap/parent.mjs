const everyMs = 250;

/**
 * Ends this process by SIGTERM when the shell ends that npm started it with. npm passes a signal to that shell alone, and
 * a shell that waits for a program dies of it and passes nothing on. Whoever starts this process without npm may leave it.
 */
export function endWithParent() {
  const { npm_lifecycle_event: script } = process.env;
  if (script === undefined) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
  }, everyMs);
  timer.unref();
}
