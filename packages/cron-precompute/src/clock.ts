import { type Clock, objectWith, type Rule, systemClock } from '@ashlar/core';

/** A clock that knows the time of day too: schedules are about that, and waits about `now`. */
export interface WallClock extends Clock {
  /** Milliseconds since 1970, in UTC. May step. */
  wallMs(): number;
}

/** The machine's. Its sleeps keep the process alive. */
export const systemWallClock: WallClock = { ...systemClock, wallMs: () => Date.now() };

/** Clocks of a fleet differ by less, in milliseconds. */
const mostSkewMs = 60_000;

/** Whether a time that has passed somewhere says that a clock was wrong there. */
export function isOfWrongClock(passedMs: number, nowMs: number): boolean {
  return passedMs > nowMs + mostSkewMs;
}

const anyClock = objectWith<WallClock>(['now', 'sleep', 'wallMs'], 'write `{ now, sleep, wallMs }`');

/** The rule of a clock that schedules go by. */
export const wallClock: Rule<WallClock> = (value, option) => anyClock(value, option) ?? systemWallClock;
