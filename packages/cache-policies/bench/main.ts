import { type Bench, figures, main, timing, type Work } from '@workspace/bench';
import { haveTraces } from '@workspace/services/traces';
import { readTrace } from '../test/support/traces.ts';
import { zipf } from '../test/support/workloads.ts';
import { bytesPerEntry } from './memory.ts';
import { longestSetMs } from './pause.ts';
import { type Key, type Make, ours, peers, type Subject } from './peers.ts';
import { getOrSet, kinds, stringOf } from './work.ts';

function lookups(map: Subject, keys: readonly Key[]): Work {
  let next = 0;
  return times => {
    let last: unknown;
    for (let i = 0; i < times; i++) {
      last = map.get(keys[next]!);
      next = next + 1 === keys.length ? 0 : next + 1;
    }
    return last;
  };
}

/** Asks as most programs do: with a string that was put together a moment ago, which nobody has hashed yet. */
function withStringsJustMade(map: Subject): Subject {
  let key = '';
  return {
    get: number => {
      key = stringOf(Number(number));
      return map.get(key);
    },
    set: (_number, value) => map.set(key, value),
  };
}

const { sieve, ...others } = { ...ours, ...peers };

function versus(name: string, workOf: (make: Make) => Work): Bench {
  return timing(name, () => ({
    ours: ['sieve', workOf(sieve!)],
    peers: Object.fromEntries(Object.entries(others).map(([peer, make]) => [peer, workOf(make)])),
    rounds: 11,
    sampleMs: 5,
  }));
}

function figure(
  name: string,
  unit: string,
  of: () => (make: Make) => number,
  left: readonly string[],
): Bench {
  return figures(name, unit, () => {
    const measure = of();
    const chosen = Object.entries(others).filter(([peer]) => !left.includes(peer));
    return {
      ours: ['sieve', measure(sieve!)],
      peers: Object.fromEntries(chosen.map(([peer, make]) => [peer, measure(make)])),
    };
  });
}

const max = 10_000;

const speeds: Bench[] = Object.entries(kinds).flatMap(([kind, keyOf]) => {
  // 7919 has no factor in common with their number, so popular keys are not neighbors
  const keys = Array.from({ length: 10 * max }, (_, i) => keyOf((i * 7_919) % (10 * max)));
  const popular = Array.from(zipf(1, max / 2, 0.99, 2 ** 16), rank => keys[rank]!);
  const requests = Array.from(zipf(2, 10 * max, 0.99, 2 ** 18), rank => keys[rank]!);
  return [
    versus(`hits, ${kind}`, make => {
      const map = make(max);
      for (let rank = 0; rank < max / 2; rank++) map.set(keys[rank]!, rank);
      return lookups(map, popular);
    }),
    versus(`get-or-set over Zipf, ${kind}`, make => getOrSet(make(max), requests)),
    ...(haveTraces
      ? [
          versus(`get-or-set of the trace cache2k-web12 at 1200, ${kind}`, make => {
            return getOrSet(make(1_200), Array.from(readTrace('cache2k-web12'), keyOf));
          }),
        ]
      : []),
  ];
});

const numbers = (ranks: Int32Array): number[] => Array.from(ranks, rank => (rank * 7_919) % (10 * max));

const justMade: Bench[] = [
  versus('hits, strings just made', make => {
    const map = make(max);
    const popular = numbers(zipf(1, max / 2, 0.99, 2 ** 16));
    for (const number of new Set(popular)) map.set(stringOf(number), number);
    return lookups(withStringsJustMade(map), popular);
  }),
  versus('get-or-set over Zipf, strings just made', make => {
    return getOrSet(withStringsJustMade(make(max)), numbers(zipf(2, 10 * max, 0.99, 2 ** 18)));
  }),
];

/** At half their limit they hold half of what was set. */
const halves = ['quick-lru at half', 'flru at half'];

const costs: Bench[] = Object.entries(kinds).flatMap(([kind, keyOf]) => {
  const count = 100_000;
  const filled = (times: number) => () => {
    const keys = Array.from({ length: times * count }, (_, i) => keyOf(i));
    return (make: Make) => bytesPerEntry(make, count, keys);
  };
  const grown = () => {
    const keys = Array.from({ length: 1_000_000 }, (_, i) => keyOf((i * 7_919) % 1_000_003));
    return (make: Make) => longestSetMs(make, keys);
  };
  return [
    figure(`bytes an entry, ${kind}, 100000 just stored`, 'bytes', filled(1), halves),
    figure(`bytes an entry, ${kind}, 100000 after 200000 others`, 'bytes', filled(3), halves),
    figure(`longest set, ${kind}, growing to a million`, 'ms', grown, halves),
  ];
});

await main([...speeds, ...justMade, ...costs]);
