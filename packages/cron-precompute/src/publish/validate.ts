import { describe, functionOf, integer, number, type Rule, type RulesFor, readOptions } from '@ashlar/core';
import { ValidationError } from '../errors.ts';
import type { VersionInfo } from './pointer.ts';

/** A version that is whole in the store, and not yet published. */
export interface Candidate<V> {
  readonly version: number;
  /** Distinct keys. */
  readonly entries: number;
  /** Keys whose value is `null`. */
  readonly nulls: number;
  readonly bytes: number;
  /** What readers have now, if there is anything. */
  readonly previous: VersionInfo | undefined;
  /** Its entries, read back from the store; of a key that was given twice, all. */
  entriesOf(): AsyncIterable<readonly [key: string, value: V | undefined]>;
}

/** What a version must be to be published. */
export interface ValidateOptions<V = unknown> {
  /** The fewest keys. Default: 1, so that a source that has nothing to say empties nothing. */
  readonly minEntries?: number;
  /** How much the number of keys may differ from the version before, as a share of it: 0.5 is half. Default: no limit. */
  readonly maxDelta?: number;
  /** The share of keys whose value may be `null`. Default: 1. */
  readonly maxNullRate?: number;
  /** Returns `true`, or refuses a version: by `false`, or by throwing why. What it returns else refuses the version too. */
  readonly check?: (candidate: Candidate<V>) => boolean | Promise<boolean>;
}

const rules = {
  minEntries: integer(1, { min: 0 }),
  maxDelta: number(undefined, { min: 0 }),
  maxNullRate: number(1, { min: 0, max: 1 }),
  check: functionOf<(candidate: Candidate<never>) => boolean | Promise<boolean>>('write `candidate => …`'),
} satisfies RulesFor<ValidateOptions<never>>;

export interface Validation {
  readonly minEntries: number;
  readonly maxDelta: number | undefined;
  readonly maxNullRate: number;
  readonly check: ((candidate: Candidate<never>) => unknown) | undefined;
}

/** The rule of `validate`. */
export const validation: Rule<Validation> = (value, option) =>
  readOptions(`\`${option}\``, value ?? {}, rules, `${option}.`);

/** @throws ValidationError */
export async function validate<V>(name: string, candidate: Candidate<V>, limits: Validation): Promise<void> {
  const { entries, nulls, previous } = candidate;
  const { minEntries, maxDelta, maxNullRate, check } = limits;
  if (entries < minEntries) {
    throw new ValidationError(name, `it has ${entries} entries, at least ${minEntries} are expected`);
  }
  if (maxDelta !== undefined && previous !== undefined) {
    const delta = Math.abs(entries - previous.entries) / Math.max(1, previous.entries);
    if (delta > maxDelta) {
      const what = `it has ${entries} entries after ${previous.entries}`;
      throw new ValidationError(name, `${what}, which is more than ${maxDelta} of them`);
    }
  }
  if (nulls > maxNullRate * entries) {
    throw new ValidationError(name, `${nulls} of its ${entries} values are null`);
  }
  if (check === undefined) return;
  let verdict: unknown;
  try {
    verdict = await (check as (candidate: Candidate<V>) => unknown)(candidate);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : describe(cause);
    throw new ValidationError(name, `\`validate.check\` has thrown: ${why}`, { cause });
  }
  if (verdict === false) throw new ValidationError(name, '`validate.check` has refused it');
  // A `return` that was forgotten must not publish
  if (verdict !== true) {
    throw new ValidationError(name, `\`validate.check\` must return true or false, got ${describe(verdict)}`);
  }
}
