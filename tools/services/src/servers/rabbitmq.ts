import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts } from '../network/ports.ts';
import { accepts, exchange } from '../network/ready.ts';
import { temporaryDirectory } from '../processes/temporary.ts';
import type { Provided } from '../programs/program.ts';
import { provide } from '../programs/provide.ts';
import { givenServer } from './given.ts';
import { type Server, startServer } from './server.ts';
import { together } from './together.ts';

export interface RabbitServer extends Server {
  /** As `guest`. */
  readonly url: string;
  readonly port: number;
}

/** Starts RabbitMQ on loopback, with a name, cookie, data and port mapper of its own. It takes about ten seconds. */
export async function startRabbit(options: { own?: boolean; config?: string } = {}): Promise<RabbitServer> {
  const given = Object.keys(options).length === 0 ? givenServer('rabbitmq') : undefined;
  if (given !== undefined) return given;
  const program = await provide('rabbitmq');
  const [port, distributionPort, mapperPort] = (await freePorts(3)) as [number, number, number];
  return together(async member => {
    // Erlang starts a port mapper where it finds none, as a daemon that would outlive us. It finds this one.
    if (program.kind === 'local') await member(startPortMapper(mapperPort));
    const directory = temporaryDirectory('rabbitmq');
    const configFile = join(directory, 'rabbitmq.conf');
    await writeFile(configFile, `${options.config ?? ''}\n`);
    const broker = await member(
      startServer({
        name: 'rabbitmq',
        program,
        directory,
        args: [],
        env: environment({ directory, configFile, port, distributionPort, mapperPort }),
        ready: () => exchange(port, 'AMQP\0\0\x09\x01', reply => reply.includes('RabbitMQ')),
        readyWithinMs: 90_000,
        stopSignal: 'SIGKILL', // an orderly end takes seconds, and its data goes anyway
      }),
    );
    return [Object.assign(broker, { port, url: `amqp://guest:guest@127.0.0.1:${port}` }), {}] as const;
  });
}

function startPortMapper(port: number): Promise<Server> {
  const program: Provided = { kind: 'local', path: 'epmd' };
  return startServer({
    name: 'epmd',
    program,
    directory: temporaryDirectory('epmd'),
    args: ['-port', String(port), '-address', '127.0.0.1'],
    ready: () => accepts(port),
  });
}

interface Place {
  readonly directory: string;
  readonly configFile: string;
  readonly port: number;
  readonly distributionPort: number;
  readonly mapperPort: number;
}

function environment({
  directory,
  configFile,
  port,
  distributionPort,
  mapperPort,
}: Place): Record<string, string> {
  return {
    HOME: directory, // where Erlang keeps its cookie
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_EPMD_PORT: String(mapperPort),
    RABBITMQ_CONF_ENV_FILE: '/dev/null',
    RABBITMQ_CONFIG_FILE: configFile,
    RABBITMQ_ADVANCED_CONFIG_FILE: join(directory, 'none.config'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, 'enabled_plugins'),
    RABBITMQ_NODENAME: `ashlar-${port}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distributionPort),
    RABBITMQ_MNESIA_BASE: join(directory, 'mnesia'),
    RABBITMQ_LOG_BASE: join(directory, 'log'),
    RABBITMQ_LOGS: '-',
    // Without a shell between us and the broker; nothing else follows from it where no service manager listens.
    RUNNING_UNDER_SYSTEMD: 'true',
  };
}
