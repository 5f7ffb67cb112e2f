import { type Clock, sleep } from '@ashlar/core';
import { ManualClock } from '@ashlar/core/testing';

/** The time of a case. */
export interface Time {
  readonly clock: Clock;
  /** How many sleepers there are. */
  readonly sleeping: number;
  advance(ms: number): Promise<void>;
  /** Lets everything run that is ready. */
  settle(): Promise<void>;
}

export function immediate(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}

/** Time that passes when it is told to. */
export function virtualTime(): Time {
  const clock = new ManualClock();
  return {
    clock,
    get sleeping() {
      return clock.sleeping;
    },
    advance: ms => clock.advance(ms),
    settle: immediate,
  };
}

/** The machine's, for real servers; it settles when `isIdle` says so. */
export function realTime(isIdle: () => boolean): Time {
  let sleeping = 0;
  const clock: Clock = {
    now: () => performance.now(),
    async sleep(ms, signal) {
      sleeping++;
      try {
        await sleep(ms, signal, true);
      } finally {
        sleeping--;
      }
    },
  };
  const settle = async () => {
    await immediate();
    for (let i = 0; i < 2_000 && !isIdle(); i++) await sleep(1);
    await immediate();
  };
  return {
    clock,
    get sleeping() {
      return sleeping;
    },
    async advance(ms) {
      await sleep(ms);
      await settle();
    },
    settle,
  };
}
