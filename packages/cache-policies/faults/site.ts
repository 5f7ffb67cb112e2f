import { type Redis as Server, startRedis } from '@workspace/services';
import { Redis } from 'ioredis';
import type { Writing } from './peers/caching.ts';
import { CachePeer } from './peers/peer.ts';
import { Wire } from './wire/wire.ts';

const writings: readonly Writing[] = ['cacheAside', 'writeThrough', 'by hand'];

export interface SiteOptions {
  readonly boundMs: number;
  readonly timeoutMs: number;
}

/**
 * A Redis that is the shared tier, another that is the source of truth and never fails, and processes with a cache each,
 * one for each way to write, which reach the tier over wires of their own.
 */
export class Site implements AsyncDisposable {
  /** Of the tier. */
  readonly boundMs: number;
  /** Of the tier's operations. */
  readonly timeoutMs: number;
  readonly tier: Server;
  /** Of the source of truth. */
  readonly source: Redis;
  readonly peers: readonly CachePeer[];
  readonly #sourceServer: Server;

  private constructor(options: SiteOptions, tier: Server, sourceServer: Server, wires: readonly Wire[]) {
    this.boundMs = options.boundMs;
    this.timeoutMs = options.timeoutMs;
    this.tier = tier;
    this.#sourceServer = sourceServer;
    this.source = new Redis(sourceServer.port);
    this.peers = writings.map((writing, i) => {
      const wire = wires[i]!;
      const ports = { tierPort: wire.port, sourcePort: sourceServer.port };
      return new CachePeer({ name: writing, writing, ...ports }, wire);
    });
  }

  static async start(options: SiteOptions): Promise<Site> {
    const [tier, source] = await Promise.all([startRedis({ own: true }), startRedis({ own: true })]);
    const wires = await Promise.all(writings.map(() => Wire.start(tier.port)));
    return new Site(options, tier, source, wires);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.peers.map(peer => peer.end()));
    await Promise.all(this.peers.map(({ wire }) => wire[Symbol.asyncDispose]()));
    this.source.disconnect();
    await Promise.all([this.tier.stop(), this.#sourceServer.stop()]);
  }
}
