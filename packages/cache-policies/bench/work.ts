import type { Work } from '@workspace/bench';
import type { Key, Subject } from './peers.ts';

export const stringOf = (number: number): string => `user:${number}:profile`;

/** The keys that everything is timed with, by the name of their kind. */
export const kinds: Readonly<Record<string, (number: number) => Key>> = {
  strings: stringOf,
  integers: number => number,
};

/** Asks for keys in turn and sets what is missing, as often as told before it is timed. */
export function getOrSet(map: Subject, keys: readonly Key[], warmingPasses = 1): Work {
  let next = 0;
  const work: Work = times => {
    let hits = 0;
    for (let i = 0; i < times; i++) {
      const key = keys[next]!;
      if (map.get(key) === undefined) map.set(key, next);
      else hits++;
      next = next + 1 === keys.length ? 0 : next + 1;
    }
    return hits;
  };
  for (let pass = 0; pass < warmingPasses; pass++) work(keys.length);
  return work;
}
