import {
  type Server,
  type SteppedClock,
  startPostgres,
  startRedis,
  startTcpProxy,
  steppedClock,
  type TcpProxy,
} from '@workspace/services';
import pg from 'pg';
import { postgresTable } from '../src/adapters/postgres.ts';
import { type Address, type Client, connect, type Kind, sinkTable } from './client.ts';

/** A server that keeps what it acknowledges over a crash of its process, and a way to it that can be disturbed. */
export class Site implements AsyncDisposable {
  readonly kind: Kind;
  readonly server: Server & { readonly port: number };
  readonly proxy: TcpProxy;
  readonly clock: SteppedClock | undefined;

  private constructor(kind: Kind, server: Site['server'], proxy: TcpProxy, clock: SteppedClock | undefined) {
    this.kind = kind;
    this.server = server;
    this.proxy = proxy;
    this.clock = clock;
  }

  static async start(kind: Kind, options: { readonly clock?: boolean } = {}): Promise<Site> {
    const clock = options.clock ? await steppedClock() : undefined;
    const env = clock?.env ?? {};
    const server = kind === 'redis' ? await startRedis({ config: redisConfig, env }) : await postgres(env);
    return new Site(kind, server, await startTcpProxy({ target: server.port }), clock);
  }

  /** Past the proxy. */
  get address(): Address {
    return { kind: this.kind, port: this.server.port };
  }

  /** Another process, as far as the server can tell. */
  connect(): Client {
    return connect({ kind: this.kind, port: this.proxy.port });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy.stop();
    await this.server.stop();
  }
}

/** What is written comes to the file before the answer does, and to the disk within a second. */
export const redisConfig = { appendonly: 'yes', appendfsync: 'everysec' } as const;

async function postgres(env: Readonly<Record<string, string>>): Promise<Site['server']> {
  const server = await startPostgres({ config: { fsync: true, full_page_writes: true }, env });
  const client = new pg.Client(server.url);
  await client.connect();
  await client.query(`${postgresTable()}; ${sinkTable}`);
  await client.end();
  return server;
}
