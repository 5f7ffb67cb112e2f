import {
  type Checked,
  durationMs,
  functionOf,
  integer,
  listOf,
  objectWith,
  oneOf,
  type Rule,
  type RulesFor,
  readOptions,
  record,
  refused,
  required,
} from '@ashlar/core';
import { type ValidateOptions, type Validation, validation } from './publish/validate.ts';
import type { FreshnessOptions } from './read/lookup.ts';
import type { Compute, OnDemandOptions } from './read/on-demand.ts';
import type { Serializer } from './read/snapshot.ts';
import { type JobOptions, jobRules } from './runs/options.ts';
import type { Overlap } from './schedule/options.ts';
import type { Sink } from './sinks.ts';
import type { Source } from './sources/source.ts';

export interface IncrementalOptions {
  /**
   * How much earlier than the data of the published version a run begins to read, in milliseconds: for rows that are written late,
   * and for clocks that differ. Default: 60 000.
   */
  readonly lookBackMs?: number;
  /** A run reads everything when the last that did began so long ago, in milliseconds. Default: 604 800 000, a week. */
  readonly fullEveryMs?: number;
}

export interface PrecomputeOptions<K, V> extends Omit<JobOptions, 'work' | 'fence' | 'overlap'> {
  /** `allow` is not for what publishes. Default: `forbid`. */
  readonly overlap?: Exclude<Overlap, 'allow'>;
  readonly source: Source<K, V>;
  /** Written after the flip, in order. Default: none. */
  readonly sinks?: readonly Sink<K, V>[];
  /** The text of a key; different keys must differ. Default: strings as they are, numbers and bigints in decimal. */
  readonly keyOf?: (key: K) => string;
  /** The key of a text, for sinks. Default: the text. */
  readonly keyFrom?: (text: string) => K;
  /** Default: JSON, which refuses what it does not keep. */
  readonly serializer?: Serializer<V>;
  /** The source yields what has changed. Default: `false`, each run yields everything. */
  readonly incremental?: boolean | IncrementalOptions;
  readonly validate?: ValidateOptions<V>;
  /** How many versions are kept for `rollback`, with the current one. Default: 3. */
  readonly keep?: number;
  /** How long a version that is kept no longer stays for processes that still load it, in milliseconds. Default: 60 000. */
  readonly readersGraceMs?: number;
  /**
   * How a version is held in memory. `plain`: a `Map` of values. `shared`: a table in shared memory that a worker fills, for very many
   * keys; a value is decoded when it is read, so what `deserialize` throws, `get` throws. Default: `plain`.
   */
  readonly snapshot?: 'plain' | 'shared';
  /** With `shared`: values that are kept as they were decoded, those read last; 0 keeps none. Default: 10 000. */
  readonly hotKeys?: number;
  readonly freshness?: FreshnessOptions;
  /** Computes a key that no version has, for `load`. Default: it is missing. */
  readonly compute?: Compute<K, V>;
  readonly onDemand?: OnDemandOptions;
  /** The value of a key that has none. Default: it is missing. */
  readonly fallback?: (key: K) => V | undefined;
}

const incrementalRules = {
  lookBackMs: durationMs(60_000),
  fullEveryMs: durationMs(604_800_000, { above: 0, endless: true }),
} satisfies RulesFor<IncrementalOptions>;

const incremental: Rule<Required<IncrementalOptions> | undefined> = (value, option) => {
  if (value === undefined || value === false) return undefined;
  return readOptions(`\`${option}\``, value === true ? {} : value, incrementalRules, `${option}.`);
};

interface Freshness {
  readonly freshMs: number | undefined;
  readonly maxStaleMs: number;
  readonly beyond: NonNullable<FreshnessOptions['beyond']>;
}

const freshness: Rule<Freshness> = record({
  freshMs: durationMs(undefined, { endless: true }),
  maxStaleMs: durationMs(Number.POSITIVE_INFINITY, { above: 0, endless: true }),
  beyond: oneOf('serve', ['serve', 'compute', 'fail']),
});

const onDemand: Rule<Required<OnDemandOptions>> = record({
  concurrency: integer(16, { min: 1 }),
  maxWaiting: integer(1_000, { min: 0 }),
  max: integer(10_000, { min: 1 }),
  ttlMs: durationMs(60_000),
});

type AnyFunction = (...args: never[]) => unknown;

type PrecomputeRules = {
  readonly source: Rule<Source<never, never>>;
  readonly sinks: Rule<readonly Sink<never, never>[] | undefined>;
  readonly keyOf: Rule<AnyFunction | undefined>;
  readonly keyFrom: Rule<AnyFunction | undefined>;
  readonly serializer: Rule<Serializer<never> | undefined>;
  readonly incremental: Rule<Required<IncrementalOptions> | undefined>;
  readonly validate: Rule<Validation>;
  readonly keep: Rule<number>;
  readonly readersGraceMs: Rule<number>;
  readonly snapshot: Rule<'plain' | 'shared'>;
  readonly hotKeys: Rule<number | undefined>;
  readonly freshness: Rule<Freshness>;
  readonly compute: Rule<Compute<never, never> | undefined>;
  readonly onDemand: Rule<Required<OnDemandOptions>>;
  readonly fallback: Rule<AnyFunction | undefined>;
};

const sourceAdvice = 'write `async function* (context) { yield [key, value]; }`';

export const precomputeRules: typeof jobRules & PrecomputeRules = {
  ...jobRules,
  overlap: (value, option) => {
    if (value !== 'allow') return jobRules.overlap(value, option);
    throw refused(option, '"forbid", "queue" or "replace"', value, 'of two runs one would publish');
  },
  source: required(functionOf<Source<never, never>>(sourceAdvice), sourceAdvice),
  sinks: listOf(required(objectWith<Sink<never, never>>(['set']))),
  keyOf: functionOf(),
  keyFrom: functionOf(),
  serializer: objectWith<Serializer<never>>(['serialize', 'deserialize']),
  incremental,
  validate: validation,
  keep: integer(3, { min: 1, max: 1_000 }),
  readersGraceMs: durationMs(60_000),
  snapshot: oneOf('plain', ['plain', 'shared']),
  hotKeys: integer(undefined, { min: 0 }),
  freshness,
  compute: functionOf<Compute<never, never>>(),
  onDemand,
  fallback: functionOf(),
};

export type PrecomputeSettings = Checked<typeof precomputeRules>;
