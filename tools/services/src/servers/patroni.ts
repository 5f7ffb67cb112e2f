import { realpathSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { freePorts } from '../network/ports.ts';
import { eventually } from '../polling.ts';
import { signal } from '../processes/processes.ts';
import { temporaryDirectory } from '../processes/temporary.ts';
import { otherUser } from '../processes/user.ts';
import { provide, providePath } from '../programs/provide.ts';
import { type Server, startServer } from './server.ts';
import { together } from './together.ts';

/** One Patroni, with the PostgreSQL that it runs. */
export interface PatroniMember extends Server {
  /** Of PostgreSQL, as the superuser `postgres`. */
  readonly url: string;
  /** Of Patroni's REST API. */
  readonly api: string;
  /** SIGKILL to Patroni and its PostgreSQL, as if the machine had died. */
  killAll(): Promise<void>;
}

/** A cluster; `stop` ends all of it. */
export interface Patroni extends PatroniMember {
  readonly members: readonly PatroniMember[];
}

/** Starts PostgreSQL under Patroni, with an etcd; resolves when all members stream. It takes about ten seconds. */
export async function startPatroni({ members: count = 3 }: { members?: number } = {}): Promise<Patroni> {
  const tools = dirname(realpathSync(await providePath('postgres')));
  const program = await provide('patroni');
  return together(async member => {
    const etcd = await member(startEtcd());
    const members = await Promise.all(
      Array.from({ length: count }, async (_, index) => member(startMember(`node${index}`))),
    );
    await eventually(() => allStream(members), { withinMs: 60_000 });
    return [members[0]!, { members }] as const;

    async function startMember(name: string): Promise<PatroniMember> {
      const user = otherUser('postgres', 'nobody');
      const directory = temporaryDirectory(name, user);
      const [port, apiPort] = (await freePorts(2)) as [number, number];
      const file = join(directory, 'patroni.json');
      const place = { tools, directory, port, apiPort, etcd: etcd.port };
      await writeFile(file, JSON.stringify(configuration(name, place)));
      const postgresPid = async () => {
        const note = await readFile(join(directory, 'data', 'postmaster.pid'), 'utf8').catch(() => '');
        return Number(note.split('\n')[0]) || undefined;
      };
      const killPostgres = async () => {
        const pid = await postgresPid();
        if (pid !== undefined) signal(pid, 'SIGKILL');
      };
      const server = await startServer({
        name,
        program,
        args: [file],
        directory,
        user,
        ready: () => ask(`http://127.0.0.1:${apiPort}/liveness`),
        stopWithinMs: 20_000,
        beforeRemoval: killPostgres,
      });
      const killAll = async () => {
        await server.kill();
        await killPostgres();
      };
      const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
      return Object.assign(server, { url, api: `http://127.0.0.1:${apiPort}`, killAll });
    }
  });
}

async function startEtcd(): Promise<Server & { readonly port: number }> {
  const [port, peerPort] = (await freePorts(2)) as [number, number];
  const directory = temporaryDirectory('etcd');
  const [client, peer] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${peerPort}`];
  const args = [
    ['--data-dir', join(directory, 'data')],
    ['--listen-client-urls', client],
    ['--advertise-client-urls', client],
    ['--listen-peer-urls', peer],
    ['--initial-advertise-peer-urls', peer],
    ['--initial-cluster', `default=${peer}`],
  ];
  const server = await startServer({
    name: 'etcd',
    program: await provide('etcd'),
    args: args.flat(),
    directory,
    ready: () => ask(`${client}/health`),
  });
  return Object.assign(server, { port });
}

interface Place {
  readonly tools: string;
  readonly directory: string;
  readonly port: number;
  readonly apiPort: number;
  readonly etcd: number;
}

/** As quick as Patroni lets it be. JSON is YAML. */
function configuration(name: string, { tools, directory, port, apiPort, etcd }: Place): object {
  return {
    scope: 'ashlar',
    name,
    restapi: { listen: `127.0.0.1:${apiPort}`, connect_address: `127.0.0.1:${apiPort}` },
    etcd3: { hosts: [`127.0.0.1:${etcd}`], protocol: 'http' },
    bootstrap: {
      dcs: {
        ttl: 20,
        loop_wait: 1,
        retry_timeout: 3,
        postgresql: { parameters: { wal_keep_size: '64MB' } },
      },
      initdb: [{ encoding: 'UTF8' }, { auth: 'trust' }, 'no-sync'],
      pg_hba: ['host all all 127.0.0.1/32 trust', 'host replication all 127.0.0.1/32 trust'],
    },
    postgresql: {
      listen: `127.0.0.1:${port}`,
      connect_address: `127.0.0.1:${port}`,
      data_dir: join(directory, 'data'),
      bin_dir: tools,
      pgpass: join(directory, 'pgpass'),
      authentication: {
        superuser: { username: 'postgres', password: 'postgres' },
        replication: { username: 'postgres', password: 'postgres' },
      },
      parameters: {
        unix_socket_directories: directory,
        fsync: 'off',
        shared_buffers: '16MB',
        dynamic_shared_memory_type: 'mmap',
        wal_retrieve_retry_interval: '100ms',
      },
    },
  };
}

async function allStream(members: readonly PatroniMember[]): Promise<void> {
  const { members: seen } = (await (await ask(`${members[0]!.api}/cluster`)).json()) as {
    members: { role: string; state: string }[];
  };
  const text = seen.map(({ role, state }) => `${role} ${state}`).join(', ');
  const isWell = (each: { role: string; state: string }) =>
    ['running', 'streaming'].includes(each.state) && each.role !== 'uninitialized';
  const isAll =
    seen.length === members.length && seen.every(isWell) && seen.some(({ role }) => role === 'leader');
  if (!isAll) throw new Error(`the members are: ${text}`);
}

async function ask(url: string): Promise<Response> {
  const response = await fetch(url, { signal: AbortSignal.timeout(1_000) });
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
  return response;
}
