let isListening = false;

/** What a process of a `Peer` says to who has started it. When nobody is there any more, the process ends without a word. */
export function say<Message>(message: Message): void {
  if (!isListening) process.once('disconnect', () => process.exit());
  isListening = true;
  // Without a callback the error of a channel that is closed ends the process with a stack
  process.send!(message, (error: Error | null) => {
    if (error !== null) process.exit();
  });
}
