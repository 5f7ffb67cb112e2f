import type { Executor } from '@ashlar/replica-failover/executor';
import type { MoveBackend } from '@ashlar/shard-router';
import type { Store } from '@ashlar/store';

/** The first two have all slots in the beginning. */
export const shardNames = ['one', 'two', 'three', 'four'] as const;
export type ShardName = (typeof shardNames)[number];

/** What is kept: wallets, with how often somebody has paid into each. */
export const tables = {
  wallets: {
    key: ['owner'],
    primaryKey: ['owner'],
    columns: { owner: 'text', payments: 'int8' },
  },
} as const;

/** Four shards, with what moves slots between them, and the store of the map. */
export interface Site extends AsyncDisposable {
  readonly title: string;
  // biome-ignore lint/suspicious/noExplicitAny: the tables run on clients of any kind
  readonly shards: Readonly<Record<ShardName, Executor<any>>>;
  readonly store: Store;
  readonly backend: MoveBackend;
}
