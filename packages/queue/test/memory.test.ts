import { ManualClock } from '@ashlar/core/testing';
import { describe, it } from 'vitest';
import { queueConformance } from '../src/conformance.ts';
import { memoryDriver } from '../src/index.ts';

const { capabilities } = memoryDriver();

queueConformance(
  { describe, it },
  async () => {
    const clock = new ManualClock();
    const driver = memoryDriver({ clock });
    return {
      driver,
      pass: ms => clock.advance(ms),
      [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose](),
    };
  },
  { name: 'memory', capabilities },
);

queueConformance(
  { describe, it },
  async () => {
    const driver = memoryDriver({ leaseMs: 300 });
    return { driver, [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose]() };
  },
  { name: 'memory in real time', capabilities },
);
