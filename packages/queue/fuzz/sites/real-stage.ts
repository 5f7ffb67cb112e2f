import { setTimeout as delay } from 'node:timers/promises';
import type { Driver } from '../../src/index.ts';
import type { Stage } from './site.ts';

/** Drivers over a server, in real time. */
export function realStage(parts: {
  readonly processes: number;
  open(): Driver;
  break(): Promise<void>;
}): Stage {
  const drivers = Array.from({ length: parts.processes }, () => parts.open());
  return {
    drivers,
    now: () => performance.now(),
    pass: ms => delay(ms),
    break: () => parts.break(),
    async end() {
      await Promise.all(drivers.map(driver => driver[Symbol.asyncDispose]()));
    },
  };
}
