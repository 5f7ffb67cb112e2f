import { type Random, seededRandom } from '@ashlar/core';
import { type Season, shopDay } from '../workload/shop-day.ts';
import { type Features, featuresOf } from './features.ts';

/** Where the search looks, the same for every trace. All are scales: what counts is a factor, not a difference. */
const ranges: { readonly [name in keyof Season]: readonly [min: number, max: number] } = {
  products: [15_000, 90_000],
  exponent: [0.7, 1.6],
  shift: [0.5, 150],
  returns: [0.15, 0.6],
  returnReach: [500, 20_000],
  openingCrawl: [0.2, 0.9],
  crawl: [0.02, 0.25],
  openingRequests: [6_000, 20_000],
  drift: [0.0003, 0.02],
};
const names = Object.keys(ranges) as (keyof Season)[];
/** Two generated days for one trace, so that the search does not fit the luck of a seed. */
const seeds = [1, 2];
/** Less weight for what says less about the shape: short caches, early counts, favorites. */
const weights: Partial<Record<keyof Features, number>> = {
  lru100: 0.5,
  lru6000: 0.5,
  earlyOneTime: 0.5,
  earlyTop1: 0.5,
  earlyLru3000: 0.5,
  overlapNext: 0.7,
  overlapTenth: 0.7,
};
const population = 20;

/** The mean features of generated days as long as the trace. */
export function generatedFeatures(season: Season, requests: number, of: readonly number[] = seeds): Features {
  const days = of.map(seed => featuresOf(shopDay(season, requests, seededRandom(seed))));
  const mean = (name: keyof Features) => days.reduce((sum, day) => sum + day[name], 0) / days.length;
  const features = Object.keys(days[0]!) as (keyof Features)[];
  return Object.fromEntries(features.map(name => [name, mean(name)])) as unknown as Features;
}

/** The weighted sum of squared differences, in percentage points. */
export function distance(a: Features, b: Features): number {
  return (Object.keys(a) as (keyof Features)[]).reduce(
    (sum, name) => sum + (weights[name] ?? 1) * (100 * (a[name] - b[name])) ** 2,
    0,
  );
}

/**
 * The season whose generated days are nearest to the trace, by differential evolution (Storn and Price 1997) on the
 * logarithms of the parameters, `current-to-best/1/bin`. The same draws give the same season.
 */
export function fitSeason(trace: Int32Array, generations: number, random: Random): Season {
  const wanted = featuresOf(trace);
  const lossOf = (place: readonly number[]) =>
    distance(wanted, generatedFeatures(seasonAt(place), trace.length));
  const places = Array.from({ length: population }, () => names.map(() => random()));
  const losses = places.map(lossOf);
  const any = () => places[Math.floor(random() * population)]!;
  for (let generation = 0; generation < generations; generation++) {
    const best = places[losses.indexOf(Math.min(...losses))]!;
    for (const [index, place] of places.entries()) {
      const [a, b] = [any(), any()];
      const trial = place.map((at, axis) => {
        if (random() < 0.2) return at;
        const moved = at + 0.6 * (best[axis]! - at) + 0.6 * (a[axis]! - b[axis]!);
        return Math.min(1, Math.max(0, moved));
      });
      const loss = lossOf(trial);
      if (loss >= losses[index]!) continue;
      places[index] = trial;
      losses[index] = loss;
    }
  }
  return seasonAt(places[losses.indexOf(Math.min(...losses))]!);
}

/** From the unit cube to a season. Three figures are kept: what is printed is what was measured. */
function seasonAt(place: readonly number[]): Season {
  const values = names.map((name, axis) => {
    const [min, max] = ranges[name];
    return [name, Number((min * (max / min) ** place[axis]!).toPrecision(3))];
  });
  return Object.fromEntries(values) as Season;
}
