import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts } from '../network/ports.ts';
import { exchange } from '../network/ready.ts';
import { eventually } from '../polling.ts';
import { temporaryDirectory } from '../processes/temporary.ts';
import type { Provided } from '../programs/program.ts';
import { provide } from '../programs/provide.ts';
import { givenServer } from './given.ts';
import { type Server, startServer } from './server.ts';
import { together } from './together.ts';

/** Directives of redis.conf. */
export type RedisConfig = Readonly<Record<string, string | number>>;

export interface RedisOptions {
  /** How many replicas the primary has. 0 by default. */
  readonly replicas?: number;
  /** How many Sentinels watch it, under the name `masterName`; more than half are the quorum. 0 by default. */
  readonly sentinels?: number;
  /** For the primary and the replicas. Without it nothing is written to disk. */
  readonly config?: RedisConfig;
  /** For the Sentinels: the milliseconds after which a silent server counts as down. 500 by default. */
  readonly downAfterMs?: number;
  /** Added to the environment of all of them, such as that of a `steppedClock`. */
  readonly env?: Readonly<Record<string, string>>;
  /** The folder of `redis-server` of another version. */
  readonly programs?: string | undefined;
  /** A server of our own, also where the environment names one; so it is anyway with any other option. */
  readonly own?: boolean;
}

export interface RedisServer extends Server {
  readonly url: string;
  readonly port: number;
}

/** The primary as it was at the start, with its replicas and Sentinels; `stop` stops them all. */
export interface Redis extends RedisServer {
  readonly replicas: readonly RedisServer[];
  readonly sentinels: readonly RedisServer[];
  readonly masterName: string;
}

const masterName = 'ashlar';

/** Starts Redis on loopback; resolves when the replicas follow and the Sentinels know all of them. */
export async function startRedis(options: RedisOptions = {}): Promise<Redis> {
  const { replicas = 0, sentinels = 0, config = {}, downAfterMs = 500, env = {}, programs } = options;
  const given = Object.keys(options).length === 0 ? givenServer('redis') : undefined;
  if (given !== undefined) return Object.assign(given, { replicas: [], sentinels: [], masterName });

  return together(async member => {
    const data = Object.entries({ save: '""', appendonly: 'no', 'repl-diskless-sync-delay': 0, ...config });
    const lines = data.map(([name, value]) => `${name} ${value}`);
    const primary = await member(startRedisServer('redis', lines, { env, programs }));
    const following = await all(replicas, index =>
      member(
        startRedisServer(`redis-replica-${index}`, [...lines, `replicaof 127.0.0.1 ${primary.port}`], {
          env,
          programs,
        }),
      ),
    );
    await says(primary, 'INFO replication', reply => count(reply, /state=online/g) === replicas);
    const watch = [
      `sentinel monitor ${masterName} 127.0.0.1 ${primary.port} ${Math.floor(sentinels / 2) + 1}`,
      `sentinel down-after-milliseconds ${masterName} ${downAfterMs}`,
      `sentinel failover-timeout ${masterName} 5000`,
    ];
    const watching = await all(sentinels, index =>
      member(startRedisServer(`redis-sentinel-${index}`, watch, { args: ['--sentinel'], env, programs })),
    );
    const others = `slaves=${replicas},sentinels=${sentinels}`;
    await Promise.all(
      watching.map(sentinel => says(sentinel, 'INFO sentinel', reply => reply.includes(others))),
    );
    return [primary, { replicas: following, sentinels: watching, masterName }] as const;
  });
}

/** Starts one server with these lines of configuration after those of its place. */
export async function startRedisServer(
  name: string,
  lines: readonly string[],
  {
    args = [],
    env = {},
    programs,
  }: Pick<RedisOptions, 'env' | 'programs'> & { args?: readonly string[] } = {},
): Promise<RedisServer> {
  const program: Provided =
    programs === undefined ? await provide('redis') : { kind: 'local', path: join(programs, 'redis-server') };
  const directory = temporaryDirectory(name);
  const [port] = (await freePorts(1)) as [number];
  const place = ['bind 127.0.0.1', `port ${port}`, `dir ${directory}`, 'daemonize no', 'protected-mode no'];
  const file = join(directory, 'redis.conf');
  await writeFile(file, `${[...place, ...lines].join('\n')}\n`);
  const server = await startServer({
    name,
    program,
    directory,
    args: [file, ...args],
    env,
    ready: () => exchange(port, 'PING\r\n', reply => reply === '+PONG\r\n'),
  });
  return Object.assign(server, { port, url: `redis://127.0.0.1:${port}` });
}

/** Waits until the server's reply to an inline command is as it should be. */
export async function says(
  server: RedisServer,
  command: string,
  isRight: (reply: string) => boolean,
): Promise<void> {
  await eventually(() => exchange(server.port, `${command}\r\nQUIT\r\n`, isRight), { withinMs: 30_000 });
}

function all<T>(length: number, make: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length }, (_, index) => make(index)));
}

function count(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}
