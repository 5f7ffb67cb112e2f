import fc from 'fast-check';
import { maxTtlMs } from '../../src/index.ts';
import { nonsense } from './nonsense.ts';
import type { Call, Plan, Step, StoreSpec } from './plan.ts';

/** What a site offers to its plans. */
export interface Offer {
  readonly users: readonly string[];
  readonly troubles: readonly string[];
  /** How many stores share the state. */
  readonly mostStores: number;
}

/** Few, so that calls meet; more of the first. */
const key = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('a', 'ab') },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      ...['', '\0', 'a\0', 'a\0b', 'a,b', 'é', 'e\u0301', '\u{10ffff}', '\uffff', '\ud7ff', '__proto__'],
      ...["'; --", '{x}', '}', 'a:b', '%s$1\\', ' ', '\n', 'absent', 'x'.repeat(1_024), '\u20ac'.repeat(341)],
    ),
  },
);
const name = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom('n', 'm') },
  { weight: 1, arbitrary: fc.constantFrom('', ':', '\0', '1:2', '\u{10ffff}') },
);
const holder = fc.constantFrom('h', 'i', 'h:1', '', '\0', '0');
const prefix = fc.constantFrom('', 'a', 'a\0', '\uffff', '\u{10ffff}', 'none');

/** Short ones end within the case, long ones after it. */
const ttlMs = fc.constantFrom(1, 30, 150, 60_000, Number.MIN_VALUE, 0.5, 2 ** 31, maxTtlMs);
const maybeTtl = fc.option(ttlMs, { nil: undefined, freq: 2 });

const text = fc.constantFrom(
  '',
  '\0',
  'a\0',
  '\ud800',
  '\u{10ffff}',
  "'",
  'x'.repeat(70),
  'x'.repeat(10_000),
);
const other = text.map(each => ({ text: each }));
const seen = fc.constantFrom('last' as const, 'first' as const);

const bytes = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom(0, 1, 200) },
  { weight: 1, arbitrary: fc.constantFrom(100_000, 2 ** 20) },
);

function callOn(store: fc.Arbitrary<number>): fc.Arbitrary<Call> {
  const weighted: [number, fc.Arbitrary<Call>][] = [
    [6, fc.record({ store, op: fc.constant('get'), key })],
    [2, fc.record({ store, op: fc.constant('getMany'), keys: fc.array(key, { maxLength: 4 }) })],
    [
      8,
      fc
        .record({
          store,
          op: fc.constant('set' as const),
          key,
          bytes,
          ttlMs: maybeTtl,
          ifVersion: fc.option(
            fc.oneof(
              { weight: 3, arbitrary: fc.constant('absent' as const) },
              { weight: 5, arbitrary: seen },
              { weight: 1, arbitrary: other },
            ),
            { nil: undefined, freq: 2 },
          ),
        })
        .map(given),
    ],
    [2, fc.record({ store, op: fc.constant('setMany' as const), keys: many, ttlMs: maybeTtl }).map(given)],
    [
      4,
      fc
        .record({
          store,
          op: fc.constant('delete' as const),
          key,
          ifVersion: fc.option(fc.oneof({ weight: 4, arbitrary: seen }, { weight: 1, arbitrary: other }), {
            nil: undefined,
            freq: 2,
          }),
        })
        .map(given),
    ],
    [2, fc.record({ store, op: fc.constant('list'), prefix })],
    [
      8,
      fc
        .record({
          store,
          op: fc.constant('claim' as const),
          name,
          holder,
          ttlMs,
          above: fc.option(
            fc.record({
              of: fc.constantFrom('token' as const, 'now' as const, 'limit' as const),
              plus: fc.constantFrom(-60_000_000, -1, 0, 1, 60_000_000),
            }),
            { nil: undefined, freq: 2 },
          ),
        })
        .map(given),
    ],
    [
      4,
      fc.record({
        store,
        op: fc.constant('release'),
        name,
        token: fc.oneof(
          { weight: 5, arbitrary: seen },
          { weight: 1, arbitrary: fc.constantFrom('0', '1', String(2n ** 53n - 3n)).map(t => ({ text: t })) },
        ),
      }),
    ],
    [1, fc.record({ store, op: fc.constant('nonsense'), what: fc.constantFrom(...Object.keys(nonsense)) })],
  ] as never;
  return fc.oneof(...weighted.map(([weight, arbitrary]) => ({ weight, arbitrary })));
}

/** Now and then more than any backend takes in one batch. */
const many = fc.oneof(
  { weight: 12, arbitrary: fc.uniqueArray(key, { minLength: 1, maxLength: 4 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(130, 1_001).map(count => Array.from({ length: count }, (_, i) => `many-${i}`)),
  },
);

function stepOf(calls: fc.Arbitrary<Call>, store: fc.Arbitrary<number>, troubles: readonly string[]) {
  const some = fc.array(calls, { minLength: 1, maxLength: 6 });
  const weighted: [number, fc.Arbitrary<Step>][] = [
    [10, fc.record({ step: fc.constant('calls'), calls: some })],
    [2, fc.record({ step: fc.constant('calm') })],
    [2, fc.record({ step: fc.constant('wait'), ms: fc.constantFrom(2, 40, 180) })],
    [2, fc.record({ step: fc.constant('watch'), store, prefix })],
    [1, fc.record({ step: fc.constant('unwatch'), store })],
    [1, fc.record({ step: fc.constant('close'), store })],
  ] as never;
  if (troubles.length > 0) {
    const trouble = fc.constantFrom(...troubles);
    weighted.push([4, fc.record({ step: fc.constant('calls' as const), calls: some, trouble })]);
  }
  return fc.oneof(...weighted.map(([weight, arbitrary]) => ({ weight, arbitrary })));
}

/** Plans for a site. */
export function plansFor({ users, troubles, mostStores }: Offer): fc.Arbitrary<Plan> {
  const spec: fc.Arbitrary<StoreSpec> = fc.record({
    user: fc.oneof(
      { weight: 2, arbitrary: fc.constant(users[0]!) },
      { weight: 1, arbitrary: fc.constantFrom(...users) },
    ),
    patience: fc.constantFrom('patient' as const, 'patient' as const, 'impatient' as const),
    pool: fc.constantFrom(2, 1, 3),
  });
  // Not drawn after the stores, as plans would not shrink well then: the players take it modulo their number
  const store = fc.nat(mostStores - 1);
  return fc.record({
    stores: fc.array(spec, { minLength: 1, maxLength: mostStores }),
    steps: fc.array(stepOf(callOn(store), store, troubles), { minLength: 1, maxLength: 9 }),
  });
}

/** Without the names of what is absent. */
function given<T extends object>(value: T): never {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as never;
}
