import { createRequire } from 'node:module';
import { isMainThread } from 'node:worker_threads';
import { MissingPeerError } from '@ashlar/core';
import type * as ZeroMQ from 'zeromq';
import { here } from '#here';

let loaded: typeof ZeroMQ | undefined;

/**
 * Loaded with its first use: it is native code, which no bundle holds, and a plain import would fail without naming the
 * command that installs it.
 *
 * @throws MissingPeerError
 */
export function zeromqLibrary(): typeof ZeroMQ {
  try {
    loaded ??= createRequire(here)('zeromq') as typeof ZeroMQ;
    return loaded;
  } catch (cause) {
    throw new MissingPeerError('@ashlar/queue/zeromq', 'zeromq', 'zeromq@6', { cause });
  }
}

/** Whether an address in the endpoint is one of IPv6, which the library does without unless it is told. */
export function isIpv6(endpoint: string): boolean {
  return endpoint.includes('[');
}

/** Close the open sockets of this thread. */
const closers = new Set<() => void>();

/**
 * A socket of zeromq.js that waits for a message or an event when its worker thread ends aborts the whole process
 * (zeromq.js#411): it is closed before. `worker.terminate()` runs nothing in the thread, so that nothing can be done then.
 *
 * @param atExit closes what else waits, if there is something
 * @returns what closes the socket
 */
export function closedAtExit(close: () => void, atExit: () => void = close): () => void {
  if (isMainThread) return close;
  if (closers.size === 0) process.on('exit', closeAll);
  closers.add(atExit);
  return () => {
    close();
    if (closers.delete(atExit) && closers.size === 0) process.off('exit', closeAll);
  };
}

function closeAll(): void {
  for (const close of closers) close();
}

/** Frames on their way to one socket, one send at a time, as a socket of zeromq.js takes no second one. */
export class Writer {
  readonly #send: (frames: readonly Frame[]) => Promise<void>;
  #waiting: (readonly Frame[])[] = [];
  #isSending = false;

  constructor(send: (frames: readonly Frame[]) => Promise<void>) {
    this.#send = send;
  }

  write(frames: readonly Frame[]): void {
    this.#waiting.push(frames);
    if (!this.#isSending) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isSending = true;
    while (this.#waiting.length > 0) {
      const all = this.#waiting;
      this.#waiting = [];
      for (const frames of all) {
        try {
          await this.#send(frames);
        } catch {
          // A peer that has gone, or a socket that has closed: what matters is sent again
        }
      }
    }
    this.#isSending = false;
  }
}

export type Frame = Buffer | Uint8Array;
