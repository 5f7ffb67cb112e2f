import { type Server, startRedis, startTcpProxy, type TcpProxy } from '@workspace/services';
import type { Address, Kind } from './kinds.ts';

/** A server that keeps what it confirms over a crash of its process, and a way to it that can be disturbed. */
export class Site implements AsyncDisposable {
  readonly kind: Kind;
  readonly server: Server & { readonly port: number };
  readonly proxy: TcpProxy;

  private constructor(kind: Kind, server: Site['server'], proxy: TcpProxy) {
    this.kind = kind;
    this.server = server;
    this.proxy = proxy;
  }

  static async start(kind: Kind): Promise<Site> {
    // What is written comes to the file before the answer does, and to the disk within a second
    const server = await startRedis({ config: { appendonly: 'yes', appendfsync: 'everysec' } });
    return new Site(kind, server, await startTcpProxy({ target: server.port }));
  }

  /** Past the proxy. */
  get direct(): Address {
    return { kind: this.kind, port: this.server.port };
  }

  get proxied(): Address {
    return { kind: this.kind, port: this.proxy.port };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy.stop();
    await this.server.stop();
  }
}
