import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts } from '../network/ports.ts';
import { accepts } from '../network/ready.ts';
import { temporaryDirectory } from '../processes/temporary.ts';
import { otherUser } from '../processes/user.ts';
import type { ServiceName } from '../programs/catalog.ts';
import { provide } from '../programs/provide.ts';
import { type Server, startServer } from './server.ts';

/** What a configuration may refer to: free ports of 127.0.0.1, each of which it must listen on, and its folder. */
export interface Place {
  /** The first of `ports`. */
  readonly port: number;
  readonly ports: readonly number[];
  readonly directory: string;
}

/** A server that is known by its ports. */
export interface PortServer extends Server, Place {
  /** The file that the configuration was written to; change it and send SIGHUP, or `restart`. */
  readonly configFile: string;
}

export interface ConfiguredOptions {
  /** How many ports the configuration listens on. 1 by default. */
  readonly ports?: number;
  /** The configuration, made for the place that it will have. */
  readonly config: (place: Place) => string;
}

/** Starts nginx; `config` is what stands inside its `http { }`. */
export function startNginx(options: ConfiguredOptions): Promise<PortServer> {
  return configured('nginx', options, {
    wrap: (config, { directory }) => nginxConfig(config, directory),
    args: file => ['-c', file, '-e', 'stderr', '-g', 'daemon off;'],
    stopSignal: 'SIGTERM',
  });
}

/** Starts HAProxy; `config` is its whole configuration. `<directory>/admin.sock` is a good place for a stats socket. */
export function startHaproxy(options: ConfiguredOptions): Promise<PortServer> {
  return configured('haproxy', options, {
    wrap: config => config,
    args: file => ['-db', '-f', file],
    stopSignal: 'SIGTERM',
  });
}

/** Starts twemproxy; `config` is its YAML of pools. Its statistics are on a further port, `ports.at(-1)`. */
export function startNutcracker({ ports = 1, config }: ConfiguredOptions): Promise<PortServer> {
  return configured(
    'nutcracker',
    { ports: ports + 1, config },
    {
      wrap: text => text,
      args: (file, { ports }) => [
        '-c',
        file,
        '-o',
        '/dev/stderr',
        '-a',
        '127.0.0.1',
        '-s',
        String(ports.at(-1)),
      ],
      stopSignal: 'SIGINT',
    },
  );
}

export interface PgBouncerOptions {
  /** The port of the PostgreSQL, which trusts its clients. */
  readonly target: number;
  /** When a client gives its connection back. Default: after each transaction. */
  readonly mode?: 'session' | 'transaction' | 'statement';
  /** More lines of the section `[pgbouncer]`. */
  readonly config?: string;
}

/** Starts PgBouncer: for clients it is the PostgreSQL of that port, with any database and user. */
export function startPgBouncer({
  target,
  mode = 'transaction',
  config = '',
}: PgBouncerOptions): Promise<PortServer> {
  const user = otherUser('postgres', 'nobody');
  return configured(
    'pgbouncer',
    {
      config: ({ port }) => `[databases]
* = host=127.0.0.1 port=${target} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = ${mode}
${config}`,
    },
    {
      wrap: text => text,
      args: file => (user === undefined ? [file] : ['-u', user.name, file]),
      stopSignal: 'SIGINT',
    },
  );
}

interface Kind {
  readonly wrap: (config: string, place: Place) => string;
  readonly args: (file: string, place: Place) => readonly string[];
  readonly stopSignal: NodeJS.Signals;
}

async function configured(name: ServiceName, options: ConfiguredOptions, kind: Kind): Promise<PortServer> {
  const program = await provide(name);
  const directory = temporaryDirectory(name);
  const ports = await freePorts(options.ports ?? 1);
  const place: Place = { port: ports[0]!, ports, directory };
  const configFile = join(directory, `${name}.conf`);
  await writeFile(configFile, `${kind.wrap(options.config(place), place)}\n`);
  const server = await startServer({
    name,
    program,
    directory,
    args: kind.args(configFile, place),
    stopSignal: kind.stopSignal,
    ready: () => Promise.all(ports.map(accepts)),
  });
  return Object.assign(server, { port: place.port, ports, configFile });
}

/** Everything that nginx would otherwise keep in the folders of the system. */
function nginxConfig(http: string, directory: string): string {
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    kind => `  ${kind}_temp_path ${directory}/${kind};`,
  );
  return [
    process.getuid?.() === 0 ? 'user root;' : '',
    `pid ${directory}/nginx.pid;`,
    'worker_processes 1;',
    'events { worker_connections 1024; }',
    'http {',
    '  access_log off;',
    ...paths,
    http,
    '}',
  ].join('\n');
}
