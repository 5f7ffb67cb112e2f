import { createHash, randomBytes } from 'node:crypto';
import { readdir, realpath, rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sleep } from '@ashlar/core';
import { UnsafeBackendError } from '../../../errors.ts';

/** What a lock says to whoever asks: it has the log, or its broker is about to look whether somebody has. */
const states = { owner: '1', candidate: '0' } as const;
/** How long one that is there may take to say it. */
const answerMs = 2_000;
/** What the system allows for the name of a socket, at least, and what ours needs. */
const maxPathBytes = 103 - '/broker-01234567.sock'.length;

/**
 * Keeps a second broker of this machine away from the directory, also one in another container that shares it. The lock is a
 * socket, which ends with its process however that dies.
 *
 * @returns what releases it
 */
export async function lockDirectory(directory: string): Promise<() => Promise<void>> {
  // Brokers that spell it otherwise, as by a relative path, must look in the same place
  const real = await realpath(directory);
  const name = `ashlar-queue-${hash(real)}`;
  if (process.platform === 'win32') return released(await lockPipe(`\\\\.\\pipe\\${name}`, directory));
  if (Buffer.byteLength(real) <= maxPathBytes) {
    try {
      return released(await lockAmong(real, 'broker', directory));
    } catch (error) {
      // A file system that is shared with the host of a virtual machine may have no sockets
      if (error instanceof UnsafeBackendError) throw error;
    }
  }
  return released(await lockAmong(tmpdir(), name, directory));
}

/**
 * Each broker has a lock of its own, and then looks for those of others: of two that begin at once, at least one sees the
 * other. The first by name goes on when it knows that the other does not.
 */
async function lockAmong(place: string, prefix: string, directory: string): Promise<Server> {
  const name = `${prefix}-${randomBytes(4).toString('hex')}.sock`;
  let state: string = states.candidate;
  const server = await listen(join(place, name), () => state);
  try {
    const isLock = (file: string) => file.startsWith(`${prefix}-`) && file.endsWith('.sock');
    for (const other of (await readdir(place)).filter(isLock)) {
      if (other === name) continue;
      for (;;) {
        const answer = await ask(join(place, other));
        if (answer === undefined) {
          await rm(join(place, other), { force: true });
          break;
        }
        if (answer !== states.candidate || other < name) throw busy(directory);
        await sleep(10);
      }
    }
    state = states.owner;
    return server;
  } catch (error) {
    await close(server);
    throw error;
  }
}

/** A pipe of Windows ends with its process, and its name with it. */
async function lockPipe(path: string, directory: string): Promise<Server> {
  try {
    return await listen(path, () => states.owner);
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'EADDRINUSE' ? busy(directory) : error;
  }
}

function busy(directory: string): Error {
  return new UnsafeBackendError(`another broker has the log in ${directory}`);
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 24);
}

function listen(path: string, state: () => string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer(socket => {
      socket.on('error', () => {}); // Whoever has asked is gone
      socket.end(state(), () => socket.destroy());
    });
    server.unref();
    server.once('error', reject);
    server.listen(path, () => resolve(server));
  });
}

/** What the lock says; undefined when its process is gone. */
function ask(path: string): Promise<string | undefined> {
  return new Promise(resolve => {
    const socket = connect(path);
    let isThere = false;
    const end = (answer: string | undefined) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(answerMs, () => end('silent'));
    socket.once('connect', () => {
      isThere = true;
    });
    socket.once('data', data => end(data.toString()));
    socket.once('error', () => end(isThere ? 'silent' : undefined));
    socket.once('end', () => end('silent'));
  });
}

function close(server: Server): Promise<void> {
  return new Promise(resolve => server.close(() => resolve()));
}

function released(server: Server): () => Promise<void> {
  return () => close(server);
}
