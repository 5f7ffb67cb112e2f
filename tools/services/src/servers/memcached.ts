import { freePorts } from '../network/ports.ts';
import { exchange } from '../network/ready.ts';
import { temporaryDirectory } from '../processes/temporary.ts';
import { otherUser } from '../processes/user.ts';
import { provide } from '../programs/provide.ts';
import { type Server, startServer } from './server.ts';

export interface MemcachedServer extends Server {
  readonly port: number;
}

/** Starts memcached on loopback, TCP only. */
export async function startMemcached(options: { args?: readonly string[] } = {}): Promise<MemcachedServer> {
  const program = await provide('memcached');
  const user = otherUser('memcache', 'nobody');
  const directory = temporaryDirectory('memcached', user);
  const [port] = (await freePorts(1)) as [number];
  const server = await startServer({
    name: 'memcached',
    program,
    directory,
    user,
    args: ['-l', '127.0.0.1', '-p', String(port), '-U', '0', ...(options.args ?? [])],
    ready: () => exchange(port, 'version\r\n', reply => reply.startsWith('VERSION ')),
  });
  return Object.assign(server, { port });
}
