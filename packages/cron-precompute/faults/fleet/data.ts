import { systemClock } from '@ashlar/core';
import type { Store } from '@ashlar/store';
import { Job, type JobOptions, Precompute, type PrecomputeOptions, type WallClock } from '../../src/index.ts';
import type { Backend } from '../../test/fixtures/backends.ts';

export const keys: readonly string[] = Array.from({ length: 60 }, (_, index) => `key ${index}`);

/** A time of day that goes faster than the machine's; waits are the machine's, as those of the store are. */
export interface FastTime {
  readonly realStartMs: number;
  readonly startMs: number;
  readonly speed: number;
}

export function fastClock({ realStartMs, startMs, speed }: FastTime): WallClock {
  return { ...systemClock, wallMs: () => startMs + (Date.now() - realStartMs) * speed };
}

export interface FleetSettings {
  readonly backend: Backend;
  readonly time: FastTime;
  readonly snapshot: 'plain' | 'shared';
}

export type FleetSaid =
  | { readonly what: 'ready' }
  | { readonly what: 'published'; readonly scheduledAt: number; readonly version: number }
  | { readonly what: 'reads'; readonly operations: number; readonly torn: number; readonly missing: number };

const dayMs = 86_400_000;
const timeZone = 'America/New_York';

const common = {
  // On a busy machine, a shorter one ends before the work of a run does, again and again
  leaseMs: 2_000,
  pollMs: 30,
  graceMs: 300,
  crashes: 1_000,
  history: 2_000,
  timeZone,
} satisfies Partial<JobOptions>;

/** Every tick is to be launched, however late. Of two chunks, all of whose entries say of which attempt they are. */
export function bestSellers(
  store: Store,
  clock: WallClock,
  options: Partial<PrecomputeOptions<string, string>> = {},
): Precompute<string, string> {
  return new Precompute<string, string>({
    ...common,
    name: 'best',
    schedule: '30 2 * * *',
    misfire: { rule: 'all', max: 1_000 },
    overlap: 'queue',
    // By the time of day, so a few seconds of the readers
    readersGraceMs: 10 * dayMs,
    store,
    clock,
    source: async function* ({ scheduledAt, token }) {
      const value = `${scheduledAt.getTime()} ${token} `.padEnd(20_000, 'x');
      for (const key of keys) yield [key, value] as const;
    },
    ...options,
  });
}

/** Ticks that came while no process could launch them become one; those that come while one runs are left out. */
export function report(store: Store, clock: WallClock, options: Partial<JobOptions> = {}): Job {
  return new Job({
    ...common,
    name: 'report',
    schedule: '0 */12 * * *',
    misfire: 'once',
    overlap: 'forbid',
    store,
    clock,
    work: run => run.checkpoint('half'),
    ...options,
  });
}
