import type { Connection, Pool } from '../server.ts';
import { contextOfHere, type InContext } from '../sessions/context.ts';
import type { Watch } from '../watching/watch.ts';
import type { Watched } from '../watching/watched.ts';

/**
 * The connections to all servers, in generations. With a new generation every connection of the one before ends, also those
 * in use: nothing runs on what belonged to an earlier primary.
 */
export class Pools<C> {
  readonly #maxConnections: number;
  readonly #watch: Watch<C>;
  readonly #inContext: InContext = contextOfHere();
  #pools = new Map<Watched<C>, Pool<C>>();

  constructor(maxConnections: number, watch: Watch<C>) {
    this.#maxConnections = maxConnections;
    this.#watch = watch;
  }

  /** As `Pool.acquireIdle`. */
  acquireIdle(watched: Watched<C>): Connection<C> | undefined {
    return this.#pools.get(watched)?.acquireIdle?.();
  }

  /** As `Pool.acquire`. */
  acquire(watched: Watched<C>, signal: AbortSignal, connecting: () => void): Promise<Connection<C>> {
    return this.#inContext(() => this.#of(watched).acquire(signal, connecting));
  }

  #of(watched: Watched<C>): Pool<C> {
    const open = this.#pools.get(watched);
    if (open !== undefined) return open;
    const pool = watched.server.open({
      maxConnections: this.#maxConnections,
      onLost: () => this.#watch.doubt(watched),
    });
    this.#pools.set(watched, pool);
    return pool;
  }

  /** Begins a new generation; what is in flight fails with the reason. */
  renew(reason: Error): void {
    const before = this.#pools;
    this.#pools = new Map();
    for (const pool of before.values()) pool.destroy(reason);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#pools.values()].map(pool => pool.close()));
  }
}
