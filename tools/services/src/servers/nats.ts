import { freePorts } from '../network/ports.ts';
import { exchange } from '../network/ready.ts';
import { temporaryDirectory } from '../processes/temporary.ts';
import { provide } from '../programs/provide.ts';
import { givenServer } from './given.ts';
import { type Server, startServer } from './server.ts';

export interface NatsServer extends Server {
  readonly url: string;
  readonly port: number;
}

/** Starts NATS with JetStream, whose files are kept over `restart`. */
export async function startNats(
  options: { own?: boolean; args?: readonly string[] } = {},
): Promise<NatsServer> {
  const given = Object.keys(options).length === 0 ? givenServer('nats') : undefined;
  if (given !== undefined) return given;
  const program = await provide('nats');
  const directory = temporaryDirectory('nats');
  const [port] = (await freePorts(1)) as [number];
  const server = await startServer({
    name: 'nats',
    program,
    directory,
    args: [
      '--addr',
      '127.0.0.1',
      '--port',
      String(port),
      '--jetstream',
      '--store_dir',
      directory,
      ...(options.args ?? []),
    ],
    ready: () => exchange(port, 'CONNECT {"verbose":false}\r\nPING\r\n', reply => reply.endsWith('PONG\r\n')),
  });
  return Object.assign(server, { port, url: `nats://127.0.0.1:${port}` });
}
