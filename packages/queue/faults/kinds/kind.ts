import type { Server } from '@workspace/services';
import type { Driver } from '../../src/index.ts';

export interface KindServer extends Server {
  readonly port: number;
  /** Resolves when what was declared is kept over a crash too, where the server confirms it earlier. */
  persist?(): Promise<void>;
}

/** A driver whose server can be killed. */
export interface Kind {
  /** The server, as the tests ask whether it is there; none for one that is made of the package itself. */
  readonly needs?: 'redis' | 'postgres' | 'rabbitmq' | 'nats';
  /** A server that keeps what it confirms over a crash of its process. */
  start(leaseMs?: number): Promise<KindServer>;
  /**
   * A driver over the server at a port of this machine. Without `leaseMs`, deliveries last as long as they do by default;
   * without `timeoutMs`, a call has 2 s.
   */
  driver(port: number, leaseMs?: number, timeoutMs?: number): Driver;
}
