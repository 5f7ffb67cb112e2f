import { startTcpProxy, type TcpProxy } from '@workspace/services';
import type { KindServer } from './kinds/kind.ts';
import { type Address, type KindName, kinds } from './kinds.ts';

/** A server, and a way to it that can be disturbed. */
export class Site implements AsyncDisposable {
  readonly kind: KindName;
  readonly server: KindServer;
  readonly proxy: TcpProxy;
  readonly #leaseMs: number | undefined;

  private constructor(kind: KindName, leaseMs: number | undefined, server: KindServer, proxy: TcpProxy) {
    this.kind = kind;
    this.#leaseMs = leaseMs;
    this.server = server;
    this.proxy = proxy;
  }

  /** @param leaseMs of all deliveries; absent: as by default */
  static async start(kind: KindName, leaseMs?: number): Promise<Site> {
    const server = await kinds[kind].start(leaseMs);
    return new Site(kind, leaseMs, server, await startTcpProxy({ target: server.port }));
  }

  get proxied(): Address {
    const leaseMs = this.#leaseMs;
    return { kind: this.kind, port: this.proxy.port, ...(leaseMs && { leaseMs }) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy.stop();
    await this.server.stop();
  }
}
