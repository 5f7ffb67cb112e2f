import type { KeyType } from '../../../src/keys/key-column.ts';
import type { MoveBackend } from '../../../src/moves/move-backend.ts';
import type { Tables } from '../../../src/tables/table.ts';
import type { How } from '../plan.ts';

export const shardNames = ['one', 'two'] as const;
export const slots = 16;

/** Two shards, `one` and `two`, whose servers can be replaced. */
export interface ReplacingSite extends AsyncDisposable {
  readonly hows: readonly How[];
  readonly key: KeyType;
  readonly tables: Tables;
  /** A key of this number, and the slot of it. */
  keyOf(n: number): { readonly key: string; readonly slot: number };
  /** Two shards with nothing but their tables. */
  reset(): Promise<void>;
  backend(): MoveBackend & { close?(): Promise<void> };
  /** As a client of the shard does, past the routers; rejects where a fence refuses. Without a value the row is deleted. */
  write(shard: string, key: string, value: string | undefined): Promise<void>;
  rows(shard: string): Promise<Readonly<Record<string, string>>>;
  /** What `restore` makes of a shard what it is now. */
  backUp(shard: string): Promise<unknown>;
  replace(shard: string, how: How, backup: unknown): Promise<void>;
}
