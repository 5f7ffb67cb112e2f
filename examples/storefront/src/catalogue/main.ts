// One replica of the catalogue, a process of its own.
import { createServer } from 'node:http';
import { seededRandom, sleep } from '@ashlar/core';
import { evictionOf } from '../evictions.ts';
import { givenSettings, serve } from '../processes/lifeline.ts';
import { catalogue } from './catalogue.ts';
import { ailing, type Condition } from './condition.ts';
import { simulatedDatabase } from './database.ts';
import type { CatalogueSettings, ReplicaCommand, ReplicaNotice } from './messages.ts';
import { productCache } from './product-cache.ts';
import { onConnection, sharedTier } from './shared-tier.ts';

const { replica, cache: max, eviction, loadMs, seed, tier } = givenSettings<CatalogueSettings>();
const database = simulatedDatabase({ loadMs, random: seededRandom(seed), sleep });

let connected = true;
let condition: Condition = 'well';
onConnection(state => {
  if (connected === state) return;
  connected = state;
  send({ type: 'tier', connected });
});

const remote = tier && sharedTier(tier);
const cache = productCache({ replica, max, eviction: evictionOf(eviction), remote });
const { handler, warm } = catalogue({ replica, cache, database, isTierAway: () => !connected });
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

await serve(createServer(ailing(handler, () => condition)), { onClose: () => cache.close() });
