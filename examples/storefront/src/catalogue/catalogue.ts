import type { RequestListener, ServerResponse } from 'node:http';
import type { Cache } from '@ashlar/cache-policies';
import { productKey } from '../product-path.ts';
import { type Database, type Product, productOf } from './database.ts';
import { errorPage, homePage, productPage } from './page.ts';
import type { PageViews } from './page-views.ts';

/** What was found out before anybody asked: the keys of products. */
export interface Shelf {
  bestSellers(): readonly string[];
  related(key: string): readonly string[];
}

export interface CatalogueOptions {
  readonly replica: string;
  readonly cache: Cache<string, Product>;
  readonly database: Database;
  readonly views: PageViews;
  /** Default: nothing is found out. */
  readonly shelf?: Shelf;
  /** Whether the cache has lost the tier that it shares. */
  isTierAway?(): boolean;
}

/** What a replica has counted since it started, without the warm-up of its cache. */
export interface CatalogueStats {
  readonly replica: string;
  readonly hits: number;
  readonly misses: number;
  /** Found in the shared tier, and so neither in this process nor loaded. */
  readonly tierHits: number;
  readonly cached: number;
}

export interface Catalogue {
  readonly handler: RequestListener;
  /** Runs these products through the cache one after another, without the time that the database takes. Counts nothing. */
  warm(keys: readonly string[]): Promise<void>;
}

/**
 * The product catalogue of a shop: `/product/<key>`, with the cache's answer (`hit` or `miss`) in `x-cache`, the
 * replica in `x-replica`, and `x-tier: away` when it was served without the shared tier that there should be; `/stats`;
 * `/views`; `/`. A miss is a load from the database: a request for a product that is being loaded waits for that load and counts as
 * a hit, as nginx counts with `proxy_cache_lock`.
 */
export function catalogue(options: CatalogueOptions): Catalogue {
  const { replica, cache, database, views, shelf, isTierAway = () => false } = options;
  const counted = { hits: 0, misses: 0 };
  let tierHitsOfWarmUp = 0;

  async function product(key: string, visit: string | undefined, response: ServerResponse): Promise<void> {
    const isHere = cache.peek(key) !== undefined; // then a load is a refresh, which no request waits for
    let isLoaded = false;
    const found = await cache.get(key, async id => {
      isLoaded = true;
      return database.load(id);
    });
    const hit = isHere || !isLoaded;
    counted[hit ? 'hits' : 'misses']++;
    views.record({ product: key, fromCache: hit, ...(visit === undefined ? {} : { visit }) });
    const answer = hit ? 'hit' : 'miss';
    response.setHeader('x-cache', answer);
    if (isTierAway()) response.setHeader('x-tier', 'away');
    sendHtml(response, 200, productPage(found, replica, answer, shelf?.related(key)));
  }

  function stats(): CatalogueStats {
    const { remoteHits, size } = cache.snapshot();
    return { replica, ...counted, tierHits: remoteHits - tierHitsOfWarmUp, cached: size };
  }

  async function warm(keys: readonly string[]): Promise<void> {
    for (const key of keys) await cache.get(key, async id => productOf(id));
    tierHitsOfWarmUp = cache.snapshot().remoteHits;
  }

  const handler: RequestListener = (request, response) => {
    response.setHeader('x-replica', replica);
    const { method, url = '/' } = request;
    if (method !== 'GET' && method !== 'HEAD') return sendHtml(response, 405, errorPage('Only GET and HEAD'));
    if (url === '/') return sendHtml(response, 200, homePage(shelf?.bestSellers()));
    if (url === '/stats') return sendJson(response, stats());
    if (url === '/views') return sendJson(response, views.counts());
    const key = productKey(url);
    if (key === undefined) return sendHtml(response, 404, errorPage('There is no such page'));
    const visit = /(?:^|; )visit=(\w+)/.exec(request.headers.cookie ?? '')?.[1];
    product(key, visit, response).catch((error: Error) => sendHtml(response, 500, errorPage(error.message)));
  };

  return { handler, warm };
}

function sendJson(response: ServerResponse, value: object): void {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(value));
}

function sendHtml(response: ServerResponse, status: number, html: string): void {
  response.statusCode = status;
  response.setHeader('content-type', 'text/html; charset=utf-8');
  response.setHeader('content-length', Buffer.byteLength(html));
  response.end(html);
}
