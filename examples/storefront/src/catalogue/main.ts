// One replica of the catalogue, a process of its own.
import { subscribe } from 'node:diagnostics_channel';
import { createServer } from 'node:http';
import type { ConnectionMessage } from '@ashlar/cache-policies';
import { seededRandom, sleep } from '@ashlar/core';
import { evictionOf } from '../evictions.ts';
import { givenSettings, serve } from '../processes/lifeline.ts';
import { catalogue } from './catalogue.ts';
import { ailing, type Condition } from './condition.ts';
import { simulatedDatabase } from './database.ts';
import type { CatalogueSettings, ReplicaCommand, ReplicaNotice } from './messages.ts';
import { PageViews } from './page-views.ts';
import { productCache } from './product-cache.ts';
import type { TierSettings } from './shared-tier.ts';

const { replica, cache: max, eviction, loadMs, seed, shards, tier } = givenSettings<CatalogueSettings>();
const loads = { loadMs, random: seededRandom(seed), sleep };
const sharded = shards === 0 ? undefined : await openShards();
const database = sharded ?? simulatedDatabase(loads);

let connected = true;
let condition: Condition = 'well';
subscribe('ashlar:cache-policies:connection', message => {
  const isConnected = (message as ConnectionMessage).state === 'connected';
  if (connected === isConnected) return;
  connected = isConnected;
  send({ type: 'tier', connected });
});

const remote = tier && (await openTier(tier));
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

// What few runs have is loaded for them alone: it takes longer than the rest of a start
async function openShards() {
  const { shardedDatabase } = await import('./sharded-database.ts');
  return shardedDatabase(shards, loads);
}
async function openTier(settings: TierSettings) {
  const { sharedTier } = await import('./shared-tier.ts');
  return sharedTier(settings);
}

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
