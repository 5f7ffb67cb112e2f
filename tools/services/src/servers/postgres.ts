import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, realpathSync, statSync } from 'node:fs';
import { appendFile, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { freePorts } from '../network/ports.ts';
import { exchange } from '../network/ready.ts';
import { eventually } from '../polling.ts';
import { temporaryDirectory } from '../processes/temporary.ts';
import { otherUser, type User } from '../processes/user.ts';
import { providePath } from '../programs/provide.ts';
import { givenServer } from './given.ts';
import { type Server, startServer } from './server.ts';
import { together } from './together.ts';

const run = promisify(execFile);

/** Settings of postgresql.conf. */
export type PostgresConfig = Readonly<Record<string, string | number | boolean>>;

export interface PostgresOptions {
  /** How many standbys stream from the primary, named `standby0`, `standby1` and so on. 0 by default. */
  readonly standbys?: number;
  /** For the primary, and so for the standbys, which begin as copies. */
  readonly config?: PostgresConfig;
  /** Added to the environment of all of them, such as that of a `steppedClock`. */
  readonly env?: Readonly<Record<string, string>>;
  /** The folder of `postgres` and `initdb` of another version. With standbys, it needs `psql` and `pg_basebackup` too. */
  readonly programs?: string | undefined;
  /** Whether it counts what statements cost, in the view `pg_stat_statements`. It needs `psql` then. */
  readonly counting?: boolean;
  /** A server of our own, also where the environment names one; so it is anyway with any other option. */
  readonly own?: boolean;
}

export interface PostgresServer extends Server {
  /** As the superuser `postgres`, to the database of that name. */
  readonly url: string;
  readonly port: number;
}

/** The primary as it was at the start, with its standbys; `stop` stops them all. */
export interface Postgres extends PostgresServer {
  readonly standbys: readonly PostgresServer[];
}

/** Small, and without waiting for the disk: a kill of the server loses nothing that it wrote. */
const defaults: PostgresConfig = {
  fsync: false,
  full_page_writes: false,
  shared_buffers: '16MB',
  max_wal_size: '128MB',
  wal_keep_size: '64MB', // for a standby that is being copied while others are
  wal_level: 'logical',
  hot_standby: true,
  timezone: 'UTC',
  log_timezone: 'UTC',
  // In the data directory, so that nothing is left behind elsewhere by a kill.
  dynamic_shared_memory_type: 'mmap',
};

/**
 * Starts PostgreSQL on loopback; resolves when the standbys stream. It never runs as root. Those that are started without
 * standbys are copies of one, and so have one system identifier.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const { standbys: count = 0, config = {}, env = {}, counting = false } = options;
  const given = Object.keys(options).length === 0 ? givenServer('postgres') : undefined;
  if (given !== undefined) return Object.assign(given, { standbys: [] });

  const tools = options.programs ?? dirname(realpathSync(await providePath('postgres')));
  const user = otherUser('postgres', 'nobody');
  return together(async member => {
    const directory = temporaryDirectory('postgres', user);
    const data = join(directory, 'data');
    if (count > 0) await initialize(data, tools, user);
    else await copyTo(data, tools, user);
    const counted = counting && { shared_preload_libraries: 'pg_stat_statements' };
    const settings = Object.entries({ ...defaults, ...counted, ...config }).map(
      ([name, value]) => `${name} = ${quote(value)}\n`,
    );
    await appendFile(join(data, 'postgresql.conf'), settings.join(''));
    const primary = await member(startNode('postgres', { tools, directory, user, env }));
    const standbys = await Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const name = `standby${index}`;
        const place = temporaryDirectory(name, user);
        const from = `host=127.0.0.1 port=${primary.port} user=postgres application_name=${name}`;
        const how = ['--write-recovery-conf', '--checkpoint=fast', '--no-sync'];
        await as(user, join(tools, 'pg_basebackup'), [
          `--pgdata=${join(place, 'data')}`,
          `--dbname=${from}`,
          ...how,
        ]);
        return member(startNode(name, { tools, directory: place, user, env }));
      }),
    );
    const streaming = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'";
    const asked = (sql: string) => as(user, join(tools, 'psql'), ['-XAtc', sql, primary.url]);
    const all = async () => {
      const { stdout } = await asked(streaming);
      if (Number(stdout) !== count) throw new Error(`${stdout.trim()} of ${count} standbys stream`);
    };
    if (count > 0) await eventually(all, { withinMs: 30_000 });
    if (counting) await asked('CREATE EXTENSION pg_stat_statements');
    return [primary, { standbys }] as const;
  });
}

async function initialize(data: string, tools: string, user: User | undefined): Promise<void> {
  const account = ['--username=postgres', '--auth=trust'];
  const how = ['--encoding=UTF8', '--no-locale', '--no-sync'];
  await as(user, join(tools, 'initdb'), [`--pgdata=${data}`, ...account, ...how]);
}

const made = join(import.meta.dirname, '../../../../node_modules/.cache/ashlar-postgres');

/** One that was made is kept and copied, as to make one takes many times as long. */
async function copyTo(data: string, tools: string, user: User | undefined): Promise<void> {
  const program = join(tools, 'initdb');
  const { mtimeMs, size } = statSync(program);
  const owner = user?.uid ?? process.getuid?.();
  const name = createHash('sha256').update(`${program} ${mtimeMs} ${size} ${owner}`).digest('hex');
  const kept = join(made, name.slice(0, 16));
  if (existsSync(kept)) return copy(kept, data);
  await initialize(data, tools, user);
  const own = `${kept}.${randomUUID()}`;
  await mkdir(made, { recursive: true });
  await copy(data, own);
  // Another process may have placed one meanwhile
  await rename(own, kept).catch(() => rm(own, { recursive: true }));
}

/** With their owner. */
async function copy(from: string, to: string): Promise<void> {
  await run('cp', ['-pR', from, to]);
}

interface Place {
  readonly tools: string;
  readonly directory: string;
  readonly user: User | undefined;
  readonly env: Readonly<Record<string, string>>;
}

async function startNode(name: string, { tools, directory, user, env }: Place): Promise<PostgresServer> {
  const [port] = (await freePorts(1)) as [number];
  const data = join(directory, 'data');
  const server = await startServer({
    name,
    program: { kind: 'local', path: join(tools, 'postgres') },
    directory,
    user,
    env,
    args: [
      '-D',
      data,
      '-p',
      String(port),
      '-c',
      'listen_addresses=127.0.0.1',
      '-c',
      'unix_socket_directories=',
    ],
    ready: () => exchange(port, startupMessage, reply => reply.startsWith('R')),
    stopSignal: 'SIGINT', // the fast shutdown: clients are disconnected
    beforeRemoval: () => removeSharedMemory(data),
  });
  return Object.assign(server, { port, url: `postgres://postgres@127.0.0.1:${port}/postgres` });
}

/** Asks for a session; a server that is still starting answers with an error, one that is ready with `R`. */
const startupMessage = withLength(`\0\x03\0\0user\0postgres\0database\0postgres\0\0`);

function withLength(body: string): string {
  return `\0\0\0${String.fromCharCode(body.length + 4)}${body}`;
}

/** A killed server leaves a segment of shared memory, which is noted in the seventh line of its postmaster.pid. */
async function removeSharedMemory(data: string): Promise<void> {
  const note = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '');
  const id = note.split('\n')[6]?.trim().split(/\s+/)[1];
  if (id !== undefined) await run('ipcrm', ['-m', id]).catch(() => {});
}

/** Runs one of PostgreSQL's tools, which would otherwise also heed the `PG…` variables of the user. */
function as(user: User | undefined, program: string, args: readonly string[]): Promise<{ stdout: string }> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PG')));
  const identity = user === undefined ? {} : { uid: user.uid, gid: user.gid };
  return run(program, args, { env, cwd: '/', ...identity });
}

function quote(value: string | number | boolean): string {
  return `'${String(value).replaceAll("'", "''")}'`;
}
