import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Cache } from '@ashlar/cache-policies';
import { productKey } from '../product-path.ts';
import type { Database, Product } from './database.ts';
import { errorPage, homePage, productPage } from './page.ts';

export interface CatalogueOptions {
  readonly replica: string;
  readonly cache: Cache<string, Product>;
  readonly database: Database;
  /** Whether the cache has lost the tier that it shares. */
  isTierAway?(): boolean;
}

/** What a replica has counted since it started. */
export interface CatalogueStats {
  readonly replica: string;
  readonly hits: number;
  readonly misses: number;
  /** Found in the shared tier, and so neither in this process nor loaded. */
  readonly tierHits: number;
  readonly cached: number;
}

/**
 * The product catalogue of a shop: `/product/<key>`, with the cache's answer (`hit` or `miss`) in `x-cache`, the
 * replica in `x-replica`, and `x-tier: away` when it was served without the shared tier that there should be; `/stats`;
 * `/`. A miss is a load from the database: who asks for a product while it loads waits for that load and counts as a
 * hit, as nginx counts with `proxy_cache_lock`.
 */
export function catalogue(
  options: CatalogueOptions,
): (request: IncomingMessage, response: ServerResponse) => void {
  const { replica, cache, database, isTierAway = () => false } = options;
  const counted = { hits: 0, misses: 0 };

  async function product(key: string, response: ServerResponse): Promise<void> {
    const isHere = cache.peek(key) !== undefined; // then a load is a refresh, which nobody waits for
    let isLoaded = false;
    const found = await cache.get(key, async id => {
      isLoaded = true;
      return database.load(id);
    });
    const hit = isHere || !isLoaded;
    counted[hit ? 'hits' : 'misses']++;
    const answer = hit ? 'hit' : 'miss';
    response.setHeader('x-cache', answer);
    if (isTierAway()) response.setHeader('x-tier', 'away');
    sendHtml(response, 200, productPage(found, replica, answer));
  }

  function stats(): CatalogueStats {
    const { remoteHits, size } = cache.snapshot();
    return { replica, ...counted, tierHits: remoteHits, cached: size };
  }

  return (request, response) => {
    response.setHeader('x-replica', replica);
    const { method, url = '/' } = request;
    if (method !== 'GET' && method !== 'HEAD') return sendHtml(response, 405, errorPage('Only GET and HEAD'));
    if (url === '/') return sendHtml(response, 200, homePage());
    if (url === '/stats') {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(stats()));
      return;
    }
    const key = productKey(url);
    if (key === undefined) return sendHtml(response, 404, errorPage('There is no such page'));
    product(key, response).catch((error: Error) => sendHtml(response, 500, errorPage(error.message)));
  };
}

function sendHtml(response: ServerResponse, status: number, html: string): void {
  response.statusCode = status;
  response.setHeader('content-type', 'text/html; charset=utf-8');
  response.setHeader('content-length', Buffer.byteLength(html));
  response.end(html);
}
