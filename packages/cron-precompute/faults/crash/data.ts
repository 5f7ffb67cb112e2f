import type { Store } from '@ashlar/store';
import { Precompute } from '../../src/index.ts';
import type { Backend } from '../../test/fixtures/backends.ts';
import { keys } from '../fleet/data.ts';

export interface CrashSettings {
  readonly backend: Backend;
  /** The call of the store that is its last, from 0. */
  readonly step: number;
  readonly isAfter: boolean;
}

/** Of several chunks, with a checkpoint on the way. Only what is asked for is built. */
export function dataOf(store: Store): Precompute<string, string> {
  return new Precompute<string, string>({
    name: 'best',
    schedule: '0 0 1 1 *',
    leaseMs: 500,
    pollMs: 50,
    crashes: 100,
    keep: 2,
    readersGraceMs: 0,
    store,
    source: async function* ({ scheduledAt, cursor, checkpoint }) {
      const value = `${scheduledAt.getTime()} `.padEnd(20_000, 'x');
      for (let i = ((cursor as number | undefined) ?? -1) + 1; i < keys.length; i++) {
        yield [keys[i]!, value] as const;
        if (i % 20 === 19) await checkpoint(i);
      }
    },
  });
}
