import { execFile } from 'node:child_process';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { programArgs } from '@workspace/faults';
import { freePorts, type Server, startServer, temporaryDirectory } from '@workspace/services';
import type { BrokerLogOptions, BrokerOptions } from '../../src/adapters/zeromq.ts';

export interface ZeroMQServer extends Server {
  readonly port: number;
  readonly endpoint: string;
}

export interface ZeroMQServerOptions extends Omit<BrokerOptions, 'bind' | 'log'> {
  /** Whether it has a log, in its own folder; its other options. */
  readonly log?: boolean | Omit<BrokerLogOptions, 'directory'>;
  /** Whether `limitFiles` may be used. */
  readonly isLimited?: boolean;
}

/** Starts a broker in a process of its own. */
export async function startZeroMQ({
  log,
  isLimited = false,
  ...options
}: ZeroMQServerOptions = {}): Promise<ZeroMQServer> {
  const directory = temporaryDirectory('zeromq');
  const [port] = (await freePorts(1)) as [number];
  const endpoint = `tcp://127.0.0.1:${port}`;
  const settings = {
    ...options,
    bind: endpoint,
    ...(log && { log: { directory: join(directory, 'log'), ...(typeof log === 'object' && log) } }),
  };
  const args = programArgs(new URL('./zeromq-process.ts', import.meta.url), JSON.stringify(settings));
  // The signal of the limit would end the process
  const limited = ['-c', `trap '' XFSZ; exec "$@"`, 'sh', process.execPath, ...args];
  const server = await startServer({
    name: 'zeromq',
    program: { kind: 'local', path: isLimited ? '/bin/sh' : process.execPath },
    directory,
    args: isLimited ? limited : args,
    ready: () => greeted(port),
  });
  return Object.assign(server, { port, endpoint });
}

/** No file that the broker writes may be larger, as on a disk that is full. */
export async function limitFiles({ pid }: ZeroMQServer, bytes: number | 'unlimited'): Promise<void> {
  await promisify(execFile)('prlimit', ['--pid', String(pid), `--fsize=${bytes}:`]);
}

/** A socket of ZeroMQ speaks first. */
async function greeted(port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const socket = createConnection(port, '127.0.0.1');
    socket.setTimeout(1_000, () => socket.destroy(new Error('no greeting')));
    socket.once('data', () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', reject);
  });
}
