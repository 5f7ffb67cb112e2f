import type { Random } from '@ashlar/core';
import { seasons, shopDay } from '@ashlar-examples/storefront';

/** How much of a day's traffic each hour has, from midnight on: little at night, most in the evening. */
const hours: readonly number[] = [
  12, 6, 3, 2, 2, 3, 8, 20, 34, 44, 50, 52, 54, 52, 50, 50, 52, 56, 64, 76, 84, 78, 52, 26,
];
const total = hours.reduce((sum, share) => sum + share, 0);

/** Pages that somebody looks at before they leave. */
const pagesOfVisit = 6;

export interface PageView {
  readonly path: string;
  readonly visit: string;
  /** Milliseconds after the beginning, in the time of the shop. */
  readonly atMs: number;
}

/** The page views of a day that begins at this hour, in their order: the products of the storefront's generated December day. */
export function visitors(requests: number, firstHour: number, random: Random): PageView[] {
  const products = shopDay(seasons.december, requests, random);
  const views: PageView[] = [];
  let done = 0;
  for (let hour = 0; hour < 24; hour++) {
    const share = hours[(firstHour + hour) % 24]! / total;
    const until = hour === 23 ? requests : Math.min(requests, done + Math.round(requests * share));
    const count = until - done;
    for (let at = 0; done < until; at++, done++) {
      const atMs = (hour + at / count) * 3_600_000;
      views.push({ path: `/product/${products[done]}`, visit: `v${Math.floor(done / pagesOfVisit)}`, atMs });
    }
  }
  return views;
}
