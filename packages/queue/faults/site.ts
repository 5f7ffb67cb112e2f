import { startTcpProxy, type TcpProxy } from '@workspace/services';
import type { KindServer } from './kinds/kind.ts';
import { type Address, type KindName, kinds } from './kinds.ts';

/** A server, and a way to it that can be disturbed. */
export class Site implements AsyncDisposable {
  readonly kind: KindName;
  readonly server: KindServer;
  readonly proxy: TcpProxy;

  private constructor(kind: KindName, server: KindServer, proxy: TcpProxy) {
    this.kind = kind;
    this.server = server;
    this.proxy = proxy;
  }

  static async start(kind: KindName): Promise<Site> {
    const server = await kinds[kind].start();
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
