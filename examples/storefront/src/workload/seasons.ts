import type { Season } from './shop-day.ts';

/**
 * Fitted by `npm run fit` to a shop's product page requests of a July and a December day, the traces cache2k-web07
 * and cache2k-web12 of the cache2k benchmark (© headissue GmbH, Jens Wilke, CC BY 4.0). The README shows how close.
 */
export const seasons: { readonly [name in 'july' | 'december']: Season } = {
  july: {
    products: 58_200,
    exponent: 1.01,
    shift: 2.89,
    returns: 0.279,
    returnReach: 8_370,
    openingCrawl: 0.741,
    crawl: 0.112,
    openingRequests: 12_200,
    drift: 0.00119,
  },
  december: {
    products: 30_100,
    exponent: 1.29,
    shift: 57.5,
    returns: 0.363,
    returnReach: 3_600,
    openingCrawl: 0.58,
    crawl: 0.0558,
    openingRequests: 9_370,
    drift: 0.00238,
  },
};

export type SeasonName = keyof typeof seasons;
