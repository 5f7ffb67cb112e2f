import { afterEach, describe, expect, it, vi } from 'vitest';
import { fuzz } from '../fuzz/run.ts';
import { Flight, Flights } from '../src/reads/flight.ts';
import { RemoteLink } from '../src/tiers/remote-link.ts';

/** The long version, also on a real Redis: npm run fuzz -w @ashlar/cache-policies */
const short = { seed: 1, withinMs: 4_000, shrinkMs: 2_000 };

describe('fuzzing the cache', () => {
  afterEach(() => void vi.restoreAllMocks());

  it('finds nothing', { timeout: 60_000 }, async () => {
    const { cases, findings } = await fuzz({ ...short, runs: 150, tiers: ['none', 'memory'] });
    expect(findings).toEqual([]);
    expect(cases).toBeGreaterThan(0);
  });

  const planted = {
    'a write that fences no load': [
      /old value/,
      () => vi.spyOn(Flights.prototype, 'fence').mockReturnValue(),
    ],
    'an invalidation that is forgotten': [
      /old value/,
      () => vi.spyOn(RemoteLink.prototype, 'invalidateTags').mockResolvedValue(),
    ],
    'a lease that is kept': [
      /a lease is left/,
      () => vi.spyOn(RemoteLink.prototype, 'release').mockResolvedValue(true),
    ],
    'a load that is made twice': [
      /double load/,
      () => vi.spyOn(Flights.prototype, 'find').mockReturnValue(undefined),
    ],
    'a key that is asked for over and over': [
      /many commands/,
      () => {
        const { read } = RemoteLink.prototype;
        vi.spyOn(RemoteLink.prototype, 'read').mockImplementation(async function (this: never, ...args) {
          for (let i = 0; i < 8; i++) await read.call(this, args[0], {});
          return read.apply(this, args);
        });
      },
    ],
    'an abort that is swallowed': [
      /abort not heeded/,
      () => {
        const { wait } = Flight.prototype;
        vi.spyOn(Flight.prototype, 'wait').mockImplementation(function (this: never, _, abandon) {
          return wait.call(this, undefined, abandon);
        });
      },
    ],
  } as const;
  for (const [fault, [found, plant]] of Object.entries(planted)) {
    it(`finds ${fault}`, { timeout: 60_000 }, async () => {
      plant();
      const options = { ...short, withinMs: 20_000, shrinkMs: 0, first: true, runs: 2_000 };
      // over a tier its leases keep a second load away
      const tier = fault === 'a load that is made twice' ? 'none' : 'memory';
      const { findings } = await fuzz({ ...options, tiers: [tier] });
      expect(findings.map(({ kind }) => kind).join()).toMatch(found);
    });
  }
});
