import { durationMs, number, type Random, required } from '@ashlar/core';

const time = /* @__PURE__ */ required(/* @__PURE__ */ durationMs(), 'milliseconds');
const atLeastZero = /* @__PURE__ */ required(/* @__PURE__ */ number(undefined, { min: 0 }));

/** Draws a time in milliseconds. */
export type Distribution = (random: Random) => number;

/** Always the same time. @throws InvalidOptionError, as the others here */
export function constant(ms: number): Distribution {
  time(ms, 'ms');
  return () => ms;
}

/** Evenly distributed between two times. */
export function uniform(minMs: number, maxMs: number): Distribution {
  time(minMs, 'minMs');
  durationMs(undefined, { min: minMs })(time(maxMs, 'maxMs'), 'maxMs');
  return random => minMs + random() * (maxMs - minMs);
}

/** Exponentially distributed: many short times and a few that are several times the mean. */
export function exponential(meanMs: number): Distribution {
  time(meanMs, 'meanMs');
  return random => -Math.log(1 - random()) * meanMs;
}

/** Log-normally distributed, as the times of real services: a greater `sigma` gives a longer tail. */
export function logNormal(medianMs: number, sigma = 0.5): Distribution {
  time(medianMs, 'medianMs');
  atLeastZero(sigma, 'sigma');
  return random => medianMs * Math.exp(sigma * normal(random));
}

/** The method of Box and Muller, 1958. */
function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
