import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { wTinyLfu } from '@ashlar/cache-policies';
import { type Random, sleep } from '@ashlar/core';
import { catalogue, PageViews, productCache, simulatedDatabase } from '@ashlar-examples/storefront';
import type { NightWork } from './night-work.ts';
import type { ViewLog } from './view-log.ts';

export interface Shop extends AsyncDisposable {
  readonly origin: string;
}

/** A replica of the storefront, whose pages show what was found out at night, from the memory of the process. */
export async function openShop(
  { bestSellers, related }: NightWork,
  log: ViewLog,
  random: Random,
): Promise<Shop> {
  const views = await PageViews.open(batch => log.add(batch));
  const cache = productCache({ replica: 'shop', max: 300, eviction: wTinyLfu, remote: undefined });
  const database = simulatedDatabase({ loadMs: 2, random, sleep });
  const shelf = {
    bestSellers: () => bestSellers.get('all').value ?? [],
    related: (key: string) => related.get(key).value ?? [],
  };
  const server = createServer(catalogue({ replica: 'shop', cache, database, views, shelf }).handler);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await views[Symbol.asyncDispose]();
      await cache.close();
    },
  };
}
