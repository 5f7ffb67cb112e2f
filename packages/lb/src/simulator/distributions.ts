import { numberOption, type Random } from '@ashlar/core';

/** Draws a time in milliseconds. */
export type Distribution = (random: Random) => number;

/** Always the same. @throws InvalidOptionError, as the others here */
export function constant(ms: number): Distribution {
  numberOption('ms', ms, { min: 0 });
  return () => ms;
}

/** Any time between two with equal probability. */
export function uniform(minMs: number, maxMs: number): Distribution {
  numberOption('minMs', minMs, { min: 0 });
  numberOption('maxMs', maxMs, { min: minMs });
  return random => minMs + random() * (maxMs - minMs);
}

/** What has no memory: many short times and a few that are several times the mean. */
export function exponential(meanMs: number): Distribution {
  numberOption('meanMs', meanMs, { min: 0 });
  return random => -Math.log(1 - random()) * meanMs;
}

/** As times of real services are: half of them above the median, and a tail that is the longer the greater `sigma`. */
export function logNormal(medianMs: number, sigma = 0.5): Distribution {
  numberOption('medianMs', medianMs, { min: 0 });
  numberOption('sigma', sigma, { min: 0 });
  return random => medianMs * Math.exp(sigma * normal(random));
}

/** The method of Box and Muller, 1958. */
function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
