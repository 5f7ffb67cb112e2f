import fc from 'fast-check';
import { type EvictionName, evictions } from '../../src/index.ts';
import type { Setup } from '../case.ts';

const texts = [
  'a',
  'b',
  'c',
  '',
  '__proto__',
  'constructor',
  'a:{b}\n\0',
  'k'.repeat(300),
  '\u{1f600}',
  'x\ud83d',
  'x\ud83e',
];
const numbers = ['1', '0', '-1.5', '1e21', 'NaN', 'Infinity'];
const bigints = ['1', '0', '-7', '123456789012345678901234567890'];

function three(from: readonly string[]): fc.Arbitrary<readonly string[]> {
  return fc.uniqueArray(fc.constantFrom(...from), { minLength: 3, maxLength: 3 });
}

const plain = fc.constant({ keyType: 'text', keys: ['a', 'b', 'c'] } as const);
const keys: fc.Arbitrary<Pick<Setup, 'keyType' | 'keys'>> = fc.oneof(
  { withCrossShrink: true },
  { weight: 5, arbitrary: plain },
  { weight: 2, arbitrary: fc.record({ keyType: fc.constant('text' as const), keys: three(texts) }) },
  { weight: 1, arbitrary: fc.record({ keyType: fc.constant('number' as const), keys: three(numbers) }) },
  { weight: 1, arbitrary: fc.record({ keyType: fc.constant('bigint' as const), keys: three(bigints) }) },
  { weight: 1, arbitrary: fc.record({ keyType: fc.constant('object' as const), keys: three(texts) }) },
);

/** Left out more often than not, so that a case is seldom about everything at once. */
function seldom<T>(...values: readonly T[]): fc.Arbitrary<T | undefined> {
  return fc.oneof(
    { withCrossShrink: true },
    { weight: 3, arbitrary: fc.constant(undefined) },
    { weight: 2, arbitrary: fc.constantFrom(...values) },
  );
}

const times = {
  ttlMs: seldom(100, 0.5, Number.MAX_VALUE),
  jitter: seldom(0.5),
  staleMs: seldom(40),
  staleIfErrorMs: seldom(80),
  errorBackoffMs: seldom(30, 0),
  negativeTtlMs: seldom(50),
  timeoutMs: seldom(60),
  softTimeoutMs: seldom(20),
  refreshAhead: seldom({ lastMs: 30 }, { beta: 2 }),
};

const shared = {
  localTtlMs: seldom(40),
  leaseMs: seldom(50),
  leaseWaitMs: seldom(20, 0),
  onDisconnect: seldom({ serveMs: 60 }),
};

/** Real time passes for these, so that nothing of theirs may be short. */
const sharedOverRedis = {
  localTtlMs: seldom(400),
  onDisconnect: seldom({ serveMs: 200 }),
};

export type TierKind = Setup['tier'];

const writes = ['none', 'cacheAside', 'writeThrough', 'writeBehind', 'journal'] as const;

/** Without what is undefined, as JSON has no such thing. */
function present<T extends object>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<Setup['options']> {
  return arbitrary.map(
    options =>
      Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never,
  );
}

/** Setups over one kind of tier. */
export function setupsOver(tier: TierKind): fc.Arbitrary<Setup> {
  const isReal = tier === 'pubsub' || tier === 'tracking';
  const options = present(
    fc.record({
      ...times,
      ...(tier === 'memory' ? shared : {}),
      ...(isReal ? sharedOverRedis : {}),
    }),
  );
  return fc
    .record({
      tier: fc.constant(tier),
      write: fc.constantFrom(...writes),
      caches: tier === 'none' ? fc.constant(1 as const) : fc.constantFrom(2 as const, 1 as const),
      key: keys,
      eviction: fc.constantFrom('wTinyLfu', ...(Object.keys(evictions) as EvictionName[])),
      max: fc.constantFrom(100, 100, 1, 2),
      weighs: fc.boolean(),
      loadMany: fc.boolean(),
      observes: fc.boolean(),
      gated: fc.boolean(),
      random: fc.nat(1_000),
      options,
      whenFull: fc.constantFrom('wait' as const, 'reject' as const),
    })
    .map(({ key, ...setup }) => ({
      ...setup,
      ...key,
      caches: setup.write === 'journal' ? 1 : setup.caches,
    }));
}
