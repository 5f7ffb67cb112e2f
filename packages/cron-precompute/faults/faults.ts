import { crashOf } from './crash/crash.ts';
import type { Fault } from './fault.ts';
import { fleetOf } from './fleet/fleet.ts';
import { gateOf } from './gate/gate.ts';
import { naiveOf } from './naive.ts';

const kinds = ['redis', 'postgres'] as const;

export const faults: readonly Fault[] = [
  ...kinds.map(kind => fleetOf(kind, { schedulers: 5, days: 200 })),
  ...kinds.map(naiveOf),
  ...kinds.map(crashOf),
  gateOf({ blocks: 5, busyMs: 5_000, quietMs: 3_500 }),
];
