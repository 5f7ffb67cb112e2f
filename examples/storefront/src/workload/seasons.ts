import type { Season } from './shop-day.ts';

/**
 * Fitted by `npm run fit` to a shop's product page requests of a July and a December day, the traces cache2k-web07
 * and cache2k-web12 of the cache2k benchmark (© headissue GmbH, Jens Wilke, CC BY 4.0). The README shows how close.
 */
export const seasons: { readonly [name in 'july' | 'december']: Season } = {
  july: {
    products: 45_900,
    exponent: 0.989,
    shift: 1.56,
    returns: 0.23,
    returnReach: 5_150,
    crawl: 0.0492,
    openingCrawl: 0.765,
    openingRequests: 15_300,
    drift: 0.000986,
  },
  december: {
    products: 23_100,
    exponent: 1.58,
    shift: 116,
    returns: 0.395,
    returnReach: 16_500,
    crawl: 0.142,
    openingCrawl: 0.611,
    openingRequests: 10_400,
    drift: 0.00249,
  },
};

export type SeasonName = keyof typeof seasons;
