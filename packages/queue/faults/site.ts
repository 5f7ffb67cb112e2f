import { startTcpProxy, type TcpProxy } from '@workspace/services';
import type { KindServer } from './kinds/kind.ts';
import { type Address, type KindName, kinds } from './kinds.ts';

/** A server, and a way to it that can be disturbed. */
export class Site implements AsyncDisposable {
  readonly kind: KindName;
  readonly server: KindServer;
  readonly proxy: TcpProxy;
  #runs = 0;

  private constructor(kind: KindName, server: KindServer, proxy: TcpProxy) {
    this.kind = kind;
    this.server = server;
    this.proxy = proxy;
  }

  static async start(kind: KindName): Promise<Site> {
    const server = await kinds[kind].start();
    return new Site(kind, server, await startTcpProxy({ target: server.port }));
  }

  /** Through the proxy, with topics that nobody has used. */
  fresh(): Address {
    return { kind: this.kind, port: this.proxy.port, prefix: `run-${++this.#runs}` };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy.stop();
    await this.server.stop();
  }
}

/** Where the faults of a kind happen. */
export interface Sites {
  readonly kind: KindName;
  open(): Promise<Site>;
  close(site: Site): Promise<void>;
}

/** A server for each fault. */
export function ownSites(kind: KindName): Sites {
  return { kind, open: () => Site.start(kind), close: site => site[Symbol.asyncDispose]() };
}
