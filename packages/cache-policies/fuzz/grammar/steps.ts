import fc from 'fast-check';
import type { Setup, Step } from '../case.ts';
import type { Harmable, OddValue } from './names.ts';

const cache = fc.nat(1);
const key = fc.nat(2);
const signal = fc.nat(1);
const tags = fc.constantFrom(['x'], ['x', 'y'], ['']);
const ttlMs = fc.constantFrom(0, 20, 1_000, Number.MAX_VALUE);
const odd = fc.constantFrom<OddValue>('bigint', 'cycle', 'throws', 'null', 'zero', 'empty', 'false');
const few = fc.integer({ min: 1, max: 3 });

/** Keys that may be left out. */
const seldom = { requiredKeys: [] };

function step<Does extends Step['does']>(
  does: Does,
  needed: { [Name in string]: fc.Arbitrary<unknown> } = {},
  maybe: { [Name in string]: fc.Arbitrary<unknown> } = {},
): fc.Arbitrary<Step> {
  return fc
    .tuple(fc.record(needed), fc.oneof(fc.constant({}), fc.record(maybe, seldom)))
    .map(([always, sometimes]) => ({ does, ...always, ...sometimes }) as never);
}

const harmed: readonly Harmable[] = [
  'load',
  'loadMany',
  'write',
  'ttlMs',
  'tags',
  'weigh',
  'keyOf',
  'encode',
  'decode',
  'observer',
];

/** By how often they come; each entry is one more chance. */
export function stepsFor(tier: Setup['tier']): fc.Arbitrary<Step>[] {
  const get = step('get', { cache, key }, { own: fc.constant(true), ttlMs, tags, signal });
  const set = step('set', { cache, key }, { odd, ttlMs, tags, signal });
  const simple = [
    ...[get, get, get, get, step('get', { cache, key })],
    step('getMany', { cache, keys: fc.array(key, { maxLength: 4 }) }, { signal }),
    ...[set, set, step('delete', { cache, key })],
    step('outside', { cache, key, by: fc.constantFrom('tag', 'clear') }),
    fc.oneof(
      step('tag', { cache }),
      step('clear', { cache }),
      step('flush', { cache }),
      step('restart', { cache }),
      step('resize', { cache, max: fc.constantFrom(1, 100) }),
    ),
    step('abort', { signal }),
    ...[step('wait', { ms: fc.nat(120) }), step('wait', { ms: fc.constantFrom(1, 20, 40, 100) })],
    step('harm', {
      what: fc.constantFrom(...harmed),
      how: fc.constantFrom('throws', 'throws', 'nonsense', 'late', 'hangs'),
      times: few,
    }),
  ];
  const release = step('release', { choice: fc.nat(20) });
  const shared = [
    step('refuse', { when: fc.constantFrom('before', 'after'), times: few }),
    step('away', { cache }),
    step('back', { cache }),
    step('empty'),
  ];
  return [...simple, ...[release, release, release, release], ...(tier === 'none' ? [] : shared)];
}
