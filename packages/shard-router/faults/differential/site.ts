import type { Random } from '@ashlar/core';
import type { Executor } from '@ashlar/replica-failover/executor';
import { memoryStore } from '@ashlar/store';
import { memoryShards, ShardRouter } from '../../src/index.ts';
import { Comparison } from './comparison.ts';
import { shardNames, startDatabases } from './databases.ts';
import { ddl, literal, references, tables, towns } from './items.ts';

/** Shards in memory and on PostgreSQL, and one database, all with the same rows. */
export interface Site extends AsyncDisposable {
  readonly comparison: Comparison;
}

export async function startSite(random: Random, filled: number): Promise<Site> {
  const databases = await startDatabases(ddl);
  const store = memoryStore();
  const routers: Record<string, ShardRouter<unknown, typeof tables, typeof references>> = {};
  const dispose = async () => {
    for (const router of Object.values(routers)) await router.close();
    await store.close();
    await databases[Symbol.asyncDispose]();
  };
  try {
    const kinds = { memory: memoryShards(shardNames), PostgreSQL: databases.shards };
    for (const [name, shards] of Object.entries(kinds)) {
      const executors = shards as Readonly<Record<string, Executor<unknown>>>;
      routers[name] = new ShardRouter<unknown, typeof tables, typeof references>({
        shards: executors,
        store,
        key: 'text',
        name,
        tables,
        references,
      });
      await routers[name].ready();
      await routers[name].reference('towns').insert(towns);
    }
    const whole = await databases.client('whole');
    const rows = towns.map(
      ({ label, rank, fee }) =>
        `(${literal('label', label)}, ${literal('rank', rank)}, ${literal('fee', fee)})`,
    );
    await whole.query(`INSERT INTO towns VALUES ${rows.join(', ')}`);
    const comparison = new Comparison(routers, whole);
    const faults = await comparison.fill(random, filled);
    if (faults.length > 0) throw new Error(faults.join('\n'));
    return { comparison, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}
