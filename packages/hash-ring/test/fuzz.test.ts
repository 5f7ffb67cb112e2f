import { AshlarError, seededRandom } from '@ashlar/core';
import { describe, expect, it } from 'vitest';
import * as compat from '../src/compat/index.ts';
import * as ring from '../src/index.ts';

type Call = (...args: unknown[]) => unknown;

/** Functions are sound: what a function or an iterator of the caller throws goes on to the caller. */
const odd: readonly unknown[] = [
  undefined,
  null,
  true,
  0,
  -0,
  1,
  -1,
  0.5,
  5e-324,
  2 ** 31,
  2 ** 53,
  1e308,
  Number.NaN,
  Number.NEGATIVE_INFINITY,
  5n,
  -(2n ** 64n),
  '',
  'a',
  'b',
  '__proto__',
  '\ud800',
  'x'.repeat(5_000),
  Symbol('odd'),
  () => 1,
  (key: string) => key.length,
  [],
  ['a'],
  ['a', 'a'],
  [[]],
  [null],
  new Array(3),
  {},
  Object.freeze({ id: 'a' }),
  Object.freeze([Object.freeze({ id: 'b', weight: 2, zone: 'z' }), 'c']),
  { id: 'a', weight: -0 },
  { id: 'a', weight: 1e6, zone: '' },
  { id: 'a', down: true, serverId: 1, name: 'n', hashKey: 'h' },
  Object.create({ id: 'inherited' }),
  Object.create(null),
  new Proxy({ id: 'proxied', weight: 3 }, {}),
  new Proxy(['a', 'b'], {}),
  new Set(['a', 'b', 'c']),
  new Map([['a', 1]]),
  new Date(0),
  new Uint8Array(0),
  new Uint8Array([1, 2, 255]),
  new Uint16Array(1),
  new ArrayBuffer(8),
  new ring.HashRing(['a', 'b']),
  new ring.JumpHash(['a']),
  { vnodes: 1 },
  { tableSize: 101 },
  { hash: () => 7 },
  { factor: 2 },
  { balanceFactor: 150 },
  { minRingSize: 1, maxRingSize: 8 },
  { nodes: [null, 'a'], removed: [0] },
];

const { EmptyPlacementError: _e, DuplicateNodeError: _d, UnknownNodeError: _u, ...parts } = ring;
const makers: Readonly<Record<string, Call>> = Object.fromEntries(
  Object.entries({ ...parts, ...compat }).map(([name, part]) => [
    name,
    /^[A-Z]/.test(name)
      ? (...args: unknown[]) => new (part as new (...args: unknown[]) => unknown)(...args)
      : (part as Call),
  ]),
);

/** What it returns; `undefined` for an error of ours. Any other error is thrown on. */
function attempt(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    if (error instanceof AshlarError) return undefined;
    throw error;
  }
}

function methodsOf(made: object): string[] {
  const names = new Set<string>();
  for (let at = Object.getPrototypeOf(made); at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (name !== 'constructor' && typeof value === 'function') names.add(name);
    }
  }
  return [...names];
}

describe.each(Object.entries(makers))('%s with odd arguments', (_, make) => {
  it.each([1, 2, 3])('works, or throws an error of ours: seed %i', seed => {
    const random = seededRandom(seed);
    const draw = () => odd[Math.floor(random() * odd.length)];
    const some = () => Array.from({ length: Math.floor(random() * 4) }, draw);
    const known = ['a', 'b', { id: 'c', zone: 'z' }];
    for (let run = 0; run < 200; run++) {
      const args = random() < 0.5 ? [known, ...some()] : some();
      const made = attempt(() => make(...args));
      if (typeof made !== 'object' || made === null) continue;
      for (let step = 0; step < 8; step++) {
        const names = methodsOf(made);
        const name = names[Math.floor(random() * names.length)]!;
        const values = random() < 0.5 ? ['a', ...some()] : some();
        attempt(() => (made as Record<string, Call>)[name]!(...values));
      }
      if (!('find' in made)) continue;
      // Whatever was refused or done before, it still answers
      const placement = made as ring.Placement;
      const all = placement.getN('key', placement.size);
      expect(new Set(all).size).toBe(placement.size);
      if (placement.size > 0) expect(all[0]).toBe(placement.get('key'));
    }
  });
});
