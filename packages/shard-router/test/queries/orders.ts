import type { Executor } from '@ashlar/replica-failover/executor';
import { memoryShards } from '../../src/index.ts';
import { databases, shardNames } from './databases.ts';

/** Orders beside the customers of their tenant. */
export const tables = {
  orders: {
    key: ['tenant'],
    primaryKey: ['tenant', 'id'],
    columns: { tenant: 'int4', id: 'int4', customer: 'int8', product: 'text' },
  },
  customers: {
    key: ['tenant'],
    primaryKey: ['tenant', 'id'],
    columns: { tenant: 'int4', id: 'int4', name: 'text' },
  },
} as const;

const postgres =
  databases(`CREATE TABLE orders (tenant int4, id int4, customer int8, product text, PRIMARY KEY (tenant, id));
  CREATE TABLE customers (tenant int4, id int4, name text, PRIMARY KEY (tenant, id))`);

/** Shards on which they are, for the tests of one file. */
export const backends: readonly (readonly [string, () => Readonly<Record<string, Executor<unknown>>>])[] = [
  ['memory', () => memoryShards(shardNames)],
  ['PostgreSQL', () => postgres.shards as Readonly<Record<string, Executor<unknown>>>],
];
