import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
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
  /**
   * Resolves when all queues that were declared are on the disk. RabbitMQ 3.10 confirms a durable queue earlier than that:
   * about one in seven was gone after a kill that followed at once, and a quorum queue whose name is not written begins
   * anew, empty, without a leader, for good. Takes seconds; only of a server that runs here.
   */
  persist(): Promise<void>;
  /** Runs `rabbitmqctl` and resolves with what it says. Takes seconds; only of a server that runs here. */
  control(...command: readonly string[]): Promise<string>;
}

/** Starts RabbitMQ on loopback, with a name, cookie, data and port mapper of its own. It takes about ten seconds. */
export async function startRabbit(options: { own?: boolean; config?: string } = {}): Promise<RabbitServer> {
  const given = Object.keys(options).length === 0 ? givenServer('rabbitmq') : undefined;
  if (given !== undefined) {
    const control = async (): Promise<never> => {
      throw new Error('a server that was given is not ours to control');
    };
    return Object.assign(given, { persist: async () => {}, control });
  }
  const program = await provide('rabbitmq');
  const [port, distributionPort, mapperPort] = (await freePorts(3)) as [number, number, number];
  return together(async member => {
    // Erlang starts a port mapper where it finds none, as a daemon that would outlive us. It finds this one.
    if (program.kind === 'local') await member(startPortMapper(program.path, mapperPort));
    const directory = temporaryDirectory('rabbitmq');
    const configFile = join(directory, 'rabbitmq.conf');
    await writeFile(configFile, `${options.config ?? ''}\n`);
    const env = environment({ directory, configFile, port, distributionPort, mapperPort });
    const broker = await member(
      startServer({
        name: 'rabbitmq',
        program,
        directory,
        args: [],
        env,
        ready: () => exchange(port, 'AMQP\0\0\x09\x01', reply => reply.includes('RabbitMQ')),
        readyWithinMs: 90_000,
        stopSignal: 'SIGKILL', // an orderly end takes seconds, and its data goes anyway
      }),
    );
    const control = async (...command: readonly string[]) => {
      if (program.kind !== 'local') throw new Error('a container cannot be controlled from here');
      const path = join(dirname(program.path), 'rabbitmqctl');
      const settings = { env: { ...process.env, ...env } };
      const { stdout } = await promisify(execFile)(path, ['-n', nodeName(port), ...command], settings);
      return stdout;
    };
    const persist = async () => {
      // The names of quorum queues are in a table of their own, which is written up to a second later. 4.3 has no Mnesia.
      await control('eval', 'catch mnesia:dump_log(), [ok = dets:sync(Table) || Table <- dets:all()].');
    };
    const url = `amqp://guest:guest@127.0.0.1:${port}`;
    return [Object.assign(broker, { port, url, persist, control }), {}] as const;
  });
}

/** That of the same Erlang, where it lies beside the server. */
function startPortMapper(server: string, port: number): Promise<Server> {
  const beside = join(dirname(server), 'epmd');
  const program: Provided = { kind: 'local', path: existsSync(beside) ? beside : 'epmd' };
  return startServer({
    name: 'epmd',
    program,
    directory: temporaryDirectory('epmd'),
    args: ['-port', String(port), '-address', '127.0.0.1'],
    ready: () => accepts(port),
  });
}

function nodeName(port: number): string {
  return `ashlar-${port}@localhost`;
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
    RABBITMQ_NODENAME: nodeName(port),
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
