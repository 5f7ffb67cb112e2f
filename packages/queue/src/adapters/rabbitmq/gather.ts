import type { Socket } from 'node:net';

/**
 * amqplib writes message after message, each with a system call of its own: those of one turn leave together. What `write` returns,
 * its callback, and the event `drain` stay as they are; what is written in the turn of `end` leaves before it.
 */
export function gather(socket: Pick<Socket, 'write' | 'cork' | 'uncork'>): void {
  const write = socket.write;
  let isGathering = false;
  const gathered = (...rest: Parameters<typeof write>) => {
    if (!isGathering) {
      isGathering = true;
      socket.cork();
      process.nextTick(() => {
        isGathering = false;
        socket.uncork();
      });
    }
    return write.apply(socket, rest);
  };
  socket.write = gathered as typeof write;
}
