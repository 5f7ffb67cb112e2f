import { integer, number, type Random, required } from '@ashlar/core';

const rate = /* @__PURE__ */ required(/* @__PURE__ */ number(undefined, { above: 0 }), 'requests a second');
const burst = /* @__PURE__ */ required(/* @__PURE__ */ integer(undefined, { min: 1 }), 'requests of a burst');

/** The milliseconds from one request to the next, at the time `now` of the simulation, whatever the load (open loop). */
export type Arrivals = (random: Random, now: number) => number;

/** At equal intervals. @throws InvalidOptionError, as the others here */
export function steady(perSecond: number): Arrivals {
  const gapMs = 1_000 / rate(perSecond, 'perSecond');
  return () => gapMs;
}

/** A Poisson process, as of many independent users. */
export function poisson(perSecond: number): Arrivals {
  const meanMs = 1_000 / rate(perSecond, 'perSecond');
  return random => -Math.log(1 - random()) * meanMs;
}

/** Bursts of `size` requests at random times, `perSecond` requests on average. */
export function bursts(perSecond: number, size: number): Arrivals {
  burst(size, 'size');
  rate(perSecond, 'perSecond');
  const between = poisson(perSecond / size);
  let left = 0;
  return (random, now) => {
    left = left === 0 ? size - 1 : left - 1;
    return left === size - 1 ? between(random, now) : 0;
  };
}
