/**
 * For a process that another one forked: it ends when its parent does, however that ends, as the channel between them
 * closes. Ctrl-C goes to every process of a terminal; the parent decides when its children end.
 */
export function endWithParent(): void {
  process.on('SIGINT', () => {});
  process.on('disconnect', () => process.exit());
  // Of a message to a parent that has just ended
  (process as NodeJS.EventEmitter).on('error', () => {});
  // It may have closed while this process was still loading its modules, when nobody listened.
  if (process.connected !== true) process.exit();
}
