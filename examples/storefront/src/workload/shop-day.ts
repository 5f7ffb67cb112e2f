import type { Random } from '@ashlar/core';

/** What a day of requests to a shop's product pages looks like. Shares are of the requests, from 0 to 1. */
export interface Season {
  /** Products in the catalogue. */
  readonly products: number;
  /** Popularity by rank `r`, counted from 1, is proportional to `(r + shift) ** -exponent`: Zipf–Mandelbrot. */
  readonly exponent: number;
  readonly shift: number;
  /** Requests for a page that was requested a moment ago: reloads, back buttons, a campaign's link. */
  readonly returns: number;
  /** The longest such moment, in requests. How far back is a power law of exponent `returnExponent`. */
  readonly returnReach: number;
  /**
   * Requests that walk the catalogue, each product once a round, as crawlers do; they leave the keys that are requested
   * one time. Both shop traces begin with a phase in which most keys are new: the opening has a share of its own.
   */
  readonly crawl: number;
  readonly openingCrawl: number;
  /** How many requests the opening has. */
  readonly openingRequests: number;
  /** Chance that a product, just asked for, hands its rank to another one: yesterday's bestseller is replaced. */
  readonly drift: number;
}

/** Reuse distances of both shop traces fall off with about this exponent. */
const returnExponent = 1.2;
/** The shop traces have no page twice in a row: they have been cleaned of immediate repeats. */
const shortestReturn = 2;

/**
 * The product numbers that a day's first `requests` ask for, from 0 up to `season.products`. The same season and the
 * same draws of `random` give the same day, and a shorter day is the beginning of a longer one.
 */
export function shopDay(season: Season, requests: number, random: Random): Int32Array {
  const rankOf = zipfMandelbrot(season);
  const productAt = shuffled(season.products, random);
  const asked = new Int32Array(requests);
  const [nearest, span] = powerLawEnds(season.returnReach);
  let crawled = 0;
  for (let at = 0; at < requests; at++) {
    if (random() < season.returns) {
      const distance = Math.floor((nearest + random() * span) ** (1 / (1 - returnExponent)));
      if (distance <= at) {
        asked[at] = asked[at - distance]!;
        continue;
      }
    }
    if (random() < (at < season.openingRequests ? season.openingCrawl : season.crawl)) {
      asked[at] = crawled++ % season.products;
      continue;
    }
    const rank = rankOf(random());
    asked[at] = productAt[rank]!;
    if (random() < season.drift) swap(productAt, rank, Math.floor(random() * season.products));
  }
  return asked;
}

/** The inverse of the popularity's distribution function, by bisection: from [0, 1) to a rank counted from 0. */
function zipfMandelbrot({ products, exponent, shift }: Season): (share: number) => number {
  const sums = new Float64Array(products);
  let total = 0;
  for (let rank = 0; rank < products; rank++) {
    total += (rank + 1 + shift) ** -exponent;
    sums[rank] = total;
  }
  return share => {
    let low = 0;
    let high = products - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sums[middle]! < share * total) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

/** Where the inverse distribution function of the return distances begins, and how far it goes. */
function powerLawEnds(reach: number): [nearest: number, span: number] {
  const nearest = shortestReturn ** (1 - returnExponent);
  return [nearest, reach ** (1 - returnExponent) - nearest];
}

/** Fisher–Yates. Popular products are spread over the catalogue, so that a walk meets them by chance. */
function shuffled(count: number, random: Random): Int32Array {
  const numbers = Int32Array.from({ length: count }, (_, index) => index);
  for (let last = count - 1; last > 0; last--) swap(numbers, last, Math.floor(random() * (last + 1)));
  return numbers;
}

function swap(numbers: Int32Array, a: number, b: number): void {
  [numbers[a], numbers[b]] = [numbers[b]!, numbers[a]!];
}
