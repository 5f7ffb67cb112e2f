import { describe, expect, it, vi } from 'vitest';
import { type FuzzOptions, fuzz } from '../fuzz/run.ts';
import type { ManagedStore, Store } from '../src/index.ts';
import { intercepted } from './support/stores.ts';

/** Changes some methods of each store; its own `close` stays, unless it is one of them. */
function broken(methods: (store: ManagedStore) => Partial<ManagedStore>): FuzzOptions['wrap'] {
  return store => intercepted(store, methods(store) as Partial<Store>) as ManagedStore;
}

const planted = {
  seed: 1,
  runs: 500,
  withinMs: 25_000,
  only: ['memory'],
  first: true,
  patienceMs: 500,
  shrinkMs: 2_000,
} as const;

/** Cases are played as fast as the machine lets them; this only ends what hangs. */
vi.setConfig({ testTimeout: 60_000 });

describe('fuzzing the stores', () => {
  it('finds nothing on any backend', async () => {
    const { cases, findings, uncaught, skipped } = await fuzz({ seed: 1, runs: 60, withinMs: 10_000 });
    for (const reason of skipped) console.warn(`not fuzzed: ${reason}`);
    expect(findings).toEqual([]);
    expect(uncaught).toEqual([]);
    expect(Object.keys(cases)).toHaveLength(4 - skipped.length);
    for (const count of Object.values(cases)) expect(count).toBeGreaterThan(0);
  });

  const faults: Record<string, { wrap: FuzzOptions['wrap']; complaint: RegExp }> = {
    'a write that is acknowledged and lost': {
      wrap: broken(store => ({
        set: (key, value, options) =>
          store.set(options?.ttlMs === undefined ? key : `${key}\0`, value, options),
      })),
      complaint: /values: no order explains/,
    },
    'a comparison in two steps': {
      wrap: broken(store => ({
        async set(key, value, { ifVersion, ...options } = {}) {
          const found = await store.get(key);
          if (ifVersion === undefined || (found?.version ?? 'absent') === ifVersion) {
            return store.set(key, value, options);
          }
          return store.set(key, value, { ...options, ifVersion });
        },
      })),
      complaint: /values: no order explains/,
    },
    'a name that two hold': {
      wrap: broken(store => ({
        async claim(name, holder, ttlMs, options) {
          const claim = await store.claim(name, holder, ttlMs, options);
          return claim ?? { token: 2n ** 52n, remainingMs: ttlMs };
        },
      })),
      complaint: /claims: no order explains/,
    },
    'an error without a type': {
      wrap: broken(store => ({
        async delete(key, options) {
          if (options?.ifVersion !== undefined) throw new Error('of no type');
          return store.delete(key, options);
        },
      })),
      complaint: /delete: an error without a type/,
    },
    'a call that never settles': {
      wrap: broken(store => ({
        release: (name, token) => (token === 1n ? new Promise(() => {}) : store.release(name, token)),
      })),
      complaint: /release: it never settled/,
    },
    'a watch that is told too little': {
      wrap: broken(store => ({
        async *watch(prefix, options) {
          for await (const change of store.watch(prefix, options)) if (change.type !== 'delete') yield change;
        },
      })),
      complaint: /follow: a reader has/,
    },
    'an end that is none': {
      wrap: broken(store => ({ close: async () => void store.snapshot() })),
      complaint: /close: a later call/,
    },
  };
  for (const [fault, { wrap, complaint }] of Object.entries(faults)) {
    it(`finds ${fault}, and makes its case small`, async () => {
      const { findings } = await fuzz({ ...planted, ...(wrap ? { wrap } : {}) });
      expect(findings[0]?.complaints.join('\n')).toMatch(complaint);
      expect(findings[0]?.path).toMatch(/^\d+(:\d+)*$/); // a step for each time it was made smaller; none when it was small
    });
  }
});
