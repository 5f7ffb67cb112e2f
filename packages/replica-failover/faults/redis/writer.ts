/** What a process that writes to Redis is told. */
export interface RedisWriterSettings {
  readonly writer: number;
  /** A name for the set, of its own in each run, as the store outlives the servers. */
  readonly set: string;
  /** `leading` and `sentinel`: as the set has it; `ioredis`: a client with Sentinels, as it comes. */
  readonly by: 'leading' | 'sentinel' | 'ioredis';
  readonly servers: readonly {
    readonly id: string;
    readonly connection: string;
    readonly replication: string;
  }[];
  readonly sentinels: readonly { readonly host: string; readonly port: number }[];
  readonly masterName: string;
  /** How many replicas must have a write; not for ioredis alone. */
  readonly acknowledge: number;
  /** Where the term is kept. */
  readonly store: string;
}
