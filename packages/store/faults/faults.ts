import { clockOf } from './clock.ts';
import { contendersOf } from './contenders.ts';
import type { Fault } from './fault.ts';
import { holderOf } from './holder.ts';
import { failover, flushall } from './loss.ts';
import { outagesOf } from './outages.ts';

const kinds = ['redis', 'postgres'] as const;

export const faults: readonly Fault[] = [
  ...kinds.flatMap(outagesOf),
  ...kinds.map(kind => holderOf(kind)),
  ...(['memory', ...kinds] as const).map(contendersOf),
  ...kinds.map(clockOf),
  flushall,
  failover,
];
