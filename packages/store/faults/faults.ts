import { clockOf } from './clock.ts';
import { contendersOf } from './contenders.ts';
import type { Fault } from './fault.ts';
import { holderOf } from './holder.ts';
import { failover, flushall } from './loss.ts';
import { outagesOf } from './outages/outages.ts';

const kinds = ['redis', 'postgres'] as const;

/** @param tenures how often contenders get what they contend for, in each run */
export function faultsWith(tenures?: number): readonly Fault[] {
  return [
    ...kinds.flatMap(outagesOf),
    ...kinds.map(kind => holderOf(kind)),
    ...(['memory', ...kinds] as const).map(kind => contendersOf(kind, tenures)),
    ...kinds.map(clockOf),
    flushall,
    failover,
  ];
}
