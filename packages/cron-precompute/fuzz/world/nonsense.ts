import { AshlarError, InvalidOptionError } from '@ashlar/core';
import type { Store } from '@ashlar/store';
import { Precompute } from '../../src/index.ts';
import type { Process } from './process.ts';

/** What may stand where something else is meant, by name. */
const values: Readonly<Record<string, unknown>> = {
  null: null,
  NaN: Number.NaN,
  'minus one': -1,
  half: 0.5,
  zero: 0,
  'a great number': 2 ** 60,
  Infinity: Infinity,
  'a bigint': 1n,
  'no text': '',
  'a text': 'x/y',
  'half of a pair': '\ud83d',
  true: true,
  'an object': {},
  'an array': [],
  'an invalid date': new Date(Number.NaN),
  'a function that throws': () => {
    throw new Error('a callback is broken');
  },
  'a function that returns nothing': () => {},
  'a function that rejects': () => Promise.reject(new Error('a callback is broken')),
};

export const oddValues: readonly string[] = Object.keys(values);

export const oddOptions: readonly string[] = [
  ...[
    'name',
    'schedule',
    'timeZone',
    'skippedHour',
    'repeatedHour',
    'blackouts',
    'jitterMs',
    'misfire',
    'overlap',
  ],
  ...[
    'window',
    'gate',
    'deadlineMs',
    'timeoutMs',
    'graceMs',
    'leaseMs',
    'pollMs',
    'crashes',
    'launches',
    'history',
  ],
  ...[
    'source',
    'sinks',
    'keyOf',
    'keyFrom',
    'serializer',
    'incremental',
    'validate',
    'keep',
    'readersGraceMs',
  ],
  ...['snapshot', 'hotKeys', 'freshness', 'compute', 'onDemand', 'fallback', 'store', 'clock', 'unknown'],
];

export const oddCalls: readonly string[] = ['get', 'load', 'refresh', 'backfill', 'rollback', 'next'];

/** A call with what it does not expect: it works, or says why not by an error of a type. */
export async function callOddly(
  best: Precompute<string, number>,
  call: string,
  value: string,
): Promise<string | undefined> {
  try {
    await (best as unknown as Record<string, (argument: unknown) => unknown>)[call]!(values[value]);
    return undefined;
  } catch (error) {
    return error instanceof AshlarError ? undefined : `${call} with ${value}: it fails with ${error}`;
  }
}

/** A data set with one option that is odd: it is refused when it is made, or works and ends. `undefined` when it is refused. */
export function madeOddly(
  process: Process,
  store: Store,
  option: string,
  value: string,
): Precompute<string, number> | string | undefined {
  try {
    return new Precompute<string, number>({
      name: 'odd',
      schedule: '* * * * *',
      store,
      clock: process,
      pollMs: 20_000,
      source: async function* () {
        yield ['key', 1] as const;
      },
      [option]: values[value],
    });
  } catch (error) {
    return error instanceof InvalidOptionError ? undefined : `${option} of ${value}: it throws ${error}`;
  }
}
