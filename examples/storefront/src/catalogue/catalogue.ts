import type { IncomingMessage, ServerResponse } from 'node:http';
import { LRUCache } from 'lru-cache';
import { productKey } from '../product-path.ts';
import type { Database, Product } from './database.ts';
import { errorPage, homePage, productPage } from './page.ts';

export interface CatalogueOptions {
  readonly replica: string;
  /** Products that the cache holds at most. */
  readonly cache: number;
  readonly database: Database;
}

/** What a replica has counted since it started. */
export interface CatalogueStats {
  readonly replica: string;
  readonly hits: number;
  readonly misses: number;
  readonly cached: number;
}

/**
 * The product catalogue of a shop: `/product/<key>`, with the cache's answer (`hit` or `miss`) in `x-cache` and the
 * replica in `x-replica`; `/stats`; `/`. A miss is a load from the database: who asks for a product while it loads waits
 * for that load and counts as a hit, as nginx counts with `proxy_cache_lock`.
 */
export function catalogue(
  options: CatalogueOptions,
): (request: IncomingMessage, response: ServerResponse) => void {
  const { replica, database } = options;
  const cache = new LRUCache<string, Product>({
    max: options.cache,
    fetchMethod: key => database.load(key),
    // A product that is pushed out while it loads is still an answer to who asked for it.
    ignoreFetchAbort: true,
  });
  const counted = { hits: 0, misses: 0 };

  async function product(key: string, response: ServerResponse): Promise<void> {
    const status: LRUCache.Status<string, Product> = {};
    const found = await cache.forceFetch(key, { status });
    const hit = status.fetch !== 'miss';
    counted[hit ? 'hits' : 'misses']++;
    const answer = hit ? 'hit' : 'miss';
    response.setHeader('x-cache', answer);
    sendHtml(response, 200, productPage(found, replica, answer));
  }

  return (request, response) => {
    response.setHeader('x-replica', replica);
    const { method, url = '/' } = request;
    if (method !== 'GET' && method !== 'HEAD') return sendHtml(response, 405, errorPage('Only GET and HEAD'));
    if (url === '/') return sendHtml(response, 200, homePage());
    if (url === '/stats') {
      const stats: CatalogueStats = { replica, ...counted, cached: cache.size };
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(stats));
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
