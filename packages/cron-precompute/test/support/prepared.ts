import { onTestFinished } from 'vitest';
import { Precompute, type PrecomputeOptions, type SourceContext } from '../../src/index.ts';
import { ending, type Machine, type site } from './site.ts';

export interface Prepared<V> {
  readonly best: Precompute<string, V>;
  readonly machine: Machine;
  readonly contexts: SourceContext[];
}

/** A data set of a machine of its own, due every minute. `entries` are what its source yields. */
export function preparedOf<V = number>(
  place: ReturnType<typeof site>,
  entries: (
    context: SourceContext,
  ) => AsyncIterable<readonly [string, V | undefined]> | Iterable<readonly [string, V | undefined]>,
  options: Partial<PrecomputeOptions<string, V>> = {},
): Prepared<V> {
  const machine = place.machine();
  const contexts: SourceContext[] = [];
  const best = ending(
    new Precompute<string, V>({
      name: 'best',
      schedule: '* * * * *',
      store: machine.store,
      clock: place.clock,
      leaseMs: 10_000,
      readersGraceMs: 30_000,
      source: async function* (context) {
        contexts.push(context);
        yield* entries(context);
      },
      ...options,
    }),
  );
  onTestFinished(() => machine.bury()); // Before it closes
  return { best, machine, contexts };
}

/** Every entry has the same value, so that a mix of versions shows. */
export function uniform(count: number, value: () => number): () => Iterable<readonly [string, number]> {
  return () => {
    const same = value();
    return Array.from({ length: count }, (_, index) => [`key ${index}`, same] as const);
  };
}
