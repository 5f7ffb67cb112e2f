// One replica of the catalogue, a process of its own.
import { createServer } from 'node:http';
import { seededRandom, sleep } from '@ashlar/core';
import { evictionOf } from '../evictions.ts';
import { givenSettings, serve } from '../processes/lifeline.ts';
import { catalogue } from './catalogue.ts';
import { ailing, type Condition } from './condition.ts';
import { simulatedDatabase } from './database.ts';
import type { CatalogueSettings, ReplicaCommand, ReplicaNotice } from './messages.ts';
import { PageViews } from './page-views.ts';
import { productCache } from './product-cache.ts';
import { shardedDatabase } from './sharded-database.ts';
import { onConnection, sharedTier } from './shared-tier.ts';

const { replica, cache: max, eviction, loadMs, seed, shards, tier } = givenSettings<CatalogueSettings>();
const loads = { loadMs, random: seededRandom(seed), sleep };
const sharded = shards === 0 ? undefined : await shardedDatabase(shards, loads);
const database = sharded ?? simulatedDatabase(loads);

let connected = true;
let condition: Condition = 'well';
onConnection(state => {
  if (connected === state) return;
  connected = state;
  send({ type: 'tier', connected });
});

const remote = tier && sharedTier(tier);
const cache = productCache({ replica, max, eviction: evictionOf(eviction), remote });
const views = await PageViews.open();
const { handler, warm } = catalogue({ replica, cache, database, views, isTierAway: () => !connected });
process.on('message', async (command: ReplicaCommand) => {
  if (command.type === 'condition') {
    condition = command.condition;
    return;
  }
  await warm(command.keys);
  send({ type: 'warmed' });
});

function send(notice: ReplicaNotice): void {
  process.send?.(notice);
}

await serve(createServer(ailing(handler, () => condition)), {
  async onClose() {
    await views[Symbol.asyncDispose]();
    await cache.close();
    await sharded?.[Symbol.asyncDispose]();
  },
});
