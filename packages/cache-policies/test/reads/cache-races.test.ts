import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { Flights } from '../../src/reads/flight.ts';
import { LocalTier } from '../../src/tiers/local-tier.ts';
import { RemoteLink } from '../../src/tiers/remote-link.ts';
import { TagLog } from '../../src/tiers/tag-log.ts';
import { runs, setups, step } from '../support/races.ts';

const steps = fc.array(step, { minLength: 5, maxLength: 40 });

function holds(name: keyof typeof setups, numRuns: number, isFaulty = false): Promise<void> {
  const [count, options] = setups[name];
  return fc.assert(
    fc.asyncProperty(steps, list => runs(list, count, options)),
    { numRuns, seed: 7, endOnFailure: isFaulty },
  );
}

describe('no read is older than a write that had resolved before it began', () => {
  it.each(Object.keys(setups) as (keyof typeof setups)[])('%s', { timeout: 60_000 }, name =>
    holds(name, Number(process.env['RACE_RUNS'] ?? 60)),
  );
});

/** What the engine could do wrong, and where the property finds it. */
const faults: readonly (readonly [what: string, where: keyof typeof setups, sow: () => void])[] = [
  [
    'a load that began before a write stores what it read',
    'write-through in one process',
    () => void vi.spyOn(Flights.prototype, 'fence').mockImplementation(() => {}),
  ],
  [
    'a call after a tag was invalidated takes what a load from before brings',
    'write-through in one process',
    () => void vi.spyOn(LocalTier.prototype, 'isUntouched').mockReturnValue(true),
  ],
  [
    'tags are not looked at',
    'cache-aside in one process, bulk loads',
    () => void vi.spyOn(TagLog.prototype, 'unchanged').mockReturnValue(true),
  ],
  [
    'a write takes a fill that was refused for one that was made',
    'write-through over a shared tier',
    () => {
      const { fill } = RemoteLink.prototype;
      vi.spyOn(RemoteLink.prototype, 'fill').mockImplementation(async function (this: unknown, ...args) {
        await fill.apply(this as RemoteLink<unknown>, args);
        return true;
      });
    },
  ],
  [
    'a write that lost its lease invalidates nothing',
    'cache-aside over a shared tier, bulk loads, short leases',
    () => void vi.spyOn(RemoteLink.prototype, 'invalidate').mockResolvedValue(),
  ],
];

it.each(faults)('finds an engine in which %s', { timeout: 60_000 }, async (_, where, sow) => {
  sow();
  try {
    // it ends with the first that it finds, mostly within some hundred
    await expect(holds(where, 5_000, true)).rejects.toThrow('Property failed');
  } finally {
    vi.restoreAllMocks();
  }
});
