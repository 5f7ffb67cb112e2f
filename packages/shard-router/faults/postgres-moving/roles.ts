import type { TableSpec } from '../../src/tables/table.ts';
import type { PlaceSettings } from '../moving/place.ts';

/** Where the servers of a shard are, of which one is the primary. */
interface Servers {
  readonly urls: readonly string[];
  readonly replication: string;
}

/** What every process of a run is told. */
export interface Settings extends PlaceSettings {
  /** A number for the process, or its rows would be those of another. */
  readonly process: number;
  readonly shards: Readonly<Record<string, Servers>>;
}

export const tables: Readonly<Record<string, TableSpec>> = {
  customer: { key: ['id'], primaryKey: ['id'], columns: { id: 'text', n: 'int8', direct: 'int8' } },
  purchase: { key: ['customer'], primaryKey: ['customer', 'id'], columns: { customer: 'text', id: 'text' } },
};
