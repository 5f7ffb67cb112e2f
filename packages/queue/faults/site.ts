import { startTcpProxy, type TcpProxy } from '@workspace/services';
import type { KindServer } from './kinds/kind.ts';
import { type Address, type KindName, kinds, shortLeaseMs } from './kinds.ts';

let runs = 0;

/** A server, and a way to it that can be disturbed. */
export class Site implements AsyncDisposable {
  readonly kind: KindName;
  readonly server: KindServer;
  readonly proxy: TcpProxy;
  readonly #leaseMs: number | undefined;
  readonly #ownsServer: boolean;

  private constructor(
    kind: KindName,
    leaseMs: number | undefined,
    server: KindServer,
    proxy: TcpProxy,
    ownsServer = true,
  ) {
    this.kind = kind;
    this.#leaseMs = leaseMs;
    this.server = server;
    this.proxy = proxy;
    this.#ownsServer = ownsServer;
  }

  /** @param leaseMs of all deliveries; absent: as by default */
  static async start(kind: KindName, leaseMs?: number): Promise<Site> {
    const server = await kinds[kind].start(leaseMs);
    return new Site(kind, leaseMs, server, await startTcpProxy({ target: server.port }));
  }

  /** Another way to the same server, which ends before this one. */
  async beside(): Promise<Site> {
    const proxy = await startTcpProxy({ target: this.server.port });
    return new Site(this.kind, this.#leaseMs, this.server, proxy, false);
  }

  /** Through the proxy, with topics that nobody has used. */
  fresh(): Address {
    const leaseMs = this.#leaseMs;
    const prefix = `run-${++runs}`;
    return { kind: this.kind, port: this.proxy.port, prefix, ...(leaseMs && { leaseMs }) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy.stop();
    if (this.#ownsServer) await this.server.stop();
  }
}

/** Where the faults of a kind happen. */
export interface Sites {
  readonly kind: KindName;
  open(): Promise<Site>;
  close(site: Site): Promise<void>;
}

/** A server for each fault. */
export function ownSites(kind: KindName, lease: 'short' | 'usual' = 'short'): Sites {
  return {
    kind,
    open: () => Site.start(kind, lease === 'short' ? shortLeaseMs : undefined),
    close: site => site[Symbol.asyncDispose](),
  };
}
