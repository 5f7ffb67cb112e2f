import type { Address } from '../../server.ts';
import type { Chronicle } from './chronicle.ts';

export interface RedisServerSettings<C> {
  readonly id: string;
  readonly region: string | undefined;
  readonly address: Address;
  readonly newClient: () => C;
  readonly chronicle: Chronicle;
  readonly acknowledge: number;
  /** How the others reach the server for replication. */
  readonly replicationOf: (id: string) => readonly [host: string, port: string];
}
