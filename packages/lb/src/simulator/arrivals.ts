import { integerOption, numberOption, type Random } from '@ashlar/core';

/** The milliseconds from one request to the next, at the time `now` of the simulation; they come whatever the load. */
export type Arrivals = (random: Random, now: number) => number;

/** At equal distances. @throws InvalidOptionError, as the others here */
export function steady(perSecond: number): Arrivals {
  const gapMs = 1_000 / numberOption('perSecond', perSecond, { above: 0 });
  return () => gapMs;
}

/** As many independent users make them: a Poisson process. */
export function poisson(perSecond: number): Arrivals {
  const meanMs = 1_000 / numberOption('perSecond', perSecond, { above: 0 });
  return random => -Math.log(1 - random()) * meanMs;
}

/** So many at once, at random times, that it is `perSecond` on average. */
export function bursts(perSecond: number, size: number): Arrivals {
  integerOption('size', size, { min: 1 });
  const between = poisson(perSecond / size);
  let left = 0;
  return (random, now) => {
    left = left === 0 ? size - 1 : left - 1;
    return left === size - 1 ? between(random, now) : 0;
  };
}
