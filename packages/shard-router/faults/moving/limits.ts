import type { MoveLimits } from '../../src/moves/mover-options.ts';

/** Whether other work is on the machine: then moves may take their time, and how long writes are paused says nothing. */
export const isBusy: boolean = process.env['BUSY'] !== undefined;

export const limits: MoveLimits = {
  leaseMs: 3_000,
  routersMs: 30_000,
  ...(isBusy && { lagMs: 2_000, fenceMs: 2_000, pauseMs: 10_000 }),
};

/** What each process writes, whatever the shards do. Each write is followed by reads. */
export const writesPerSecond: number = Number(process.env['RATE'] ?? (isBusy ? 30 : 100));

/** The part of the time in which PostgreSQL copies; undefined: the default. */
export const copyShare: number | undefined =
  process.env['COPY_SHARE'] !== undefined ? Number(process.env['COPY_SHARE']) : isBusy ? 1 : undefined;
