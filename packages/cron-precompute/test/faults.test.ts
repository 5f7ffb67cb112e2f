import { seededRandom } from '@ashlar/core';
import { describeWith } from '@workspace/services/vitest';
import { describe, expect, it } from 'vitest';
import { crashOf } from '../faults/crash/crash.ts';
import type { Fault } from '../faults/fault.ts';
import { Tally } from '../faults/fault.ts';
import { faults } from '../faults/faults.ts';
import { fleetOf } from '../faults/fleet/fleet.ts';
import { gateOf } from '../faults/gate/gate.ts';
import { naiveOf } from '../faults/naive.ts';

const nothing = { lost: 0, duplicated: 0, torn: 0, missing: 0, unexpected: 0, remarks: [] };

async function once({ begin }: Fault, index = 0) {
  await using scene = await begin();
  return await scene.run({ index, random: seededRandom(7) });
}

describeWith('redis', 'a few runs on Redis', () => {
  it('a fleet of two through ten days', { timeout: 180_000 }, async () => {
    const finding = await once(fleetOf('redis', { schedulers: 2, days: 10 }));
    expect(finding).toMatchObject(nothing);
    expect(finding.operations).toBeGreaterThan(0);
  });

  // Before the first call, and in the middle of the run
  it.each([0, 25])('a death at step %i', { timeout: 60_000 }, async index => {
    expect(await once(crashOf('redis'), index)).toMatchObject(nothing);
  });

  it('a job beside users, with a gate and without', { timeout: 180_000 }, async () => {
    const finding = await once(gateOf({ blocks: 1, busyMs: 500, quietMs: 500 }));
    expect(finding).toMatchObject({ ...nothing, gatedP99: expect.any(Number), jobMs: expect.any(Number) });
    expect(finding.operations).toBeGreaterThan(0);
  });

  it('overwriting in place tears reads', async () => {
    const { torn, missing } = await once(naiveOf('redis'));
    expect(torn).toBeGreaterThan(0);
    expect(missing).toBe(0);
  });
});

describe('the counts', () => {
  it('tell a torn read from one with a hole', () => {
    const tally = new Tally();
    tally.read(['1', '1']);
    tally.read(['1', '2']);
    tally.read(['1', undefined]);
    expect(tally.finding()).toMatchObject({ operations: 3, torn: 1, missing: 1 });
  });

  it('are of faults with names of their own', () => {
    expect(faults.map(({ name }) => name)).toEqual([
      'redis-fleet',
      'postgres-fleet',
      'redis-naive',
      'postgres-naive',
      'redis-crash',
      'postgres-crash',
      'gate',
    ]);
  });
});
