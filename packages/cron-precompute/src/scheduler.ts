export type { WallClock } from './clock.ts';
export { systemWallClock } from './clock.ts';
export type * from './diagnostics.ts';
export { channels } from './diagnostics.ts';
export {
  JobClosedError,
  RunFencedError,
  RunNotFoundError,
  RunReplacedError,
  RunTimeoutError,
  WindowClosedError,
} from './errors.ts';
export type { BackfillOptions } from './runs/backfill.ts';
export type { FencedRun, FenceRun, RunContext, Work } from './runs/context.ts';
export { Job, type JobSnapshot } from './runs/job.ts';
export type { JobOptions } from './runs/options.ts';
export type {
  Progress,
  RecordedError,
  RunId,
  RunRecord,
  RunStatus,
  Trigger,
  WantedRun,
} from './runs/record.ts';
export type { JobState, RunningRun } from './runs/state.ts';
export type { Blackout } from './schedule/blackout.ts';
export { cronSchedule, type DaylightOptions } from './schedule/cron-schedule.ts';
export { intervalSchedule } from './schedule/interval-schedule.ts';
export type { MisfireOptions } from './schedule/misfire.ts';
export type { Overlap, ScheduleOptions, When } from './schedule/options.ts';
export type { Schedule } from './schedule/schedule.ts';
export { type Gate, type GateOptions, type GateSnapshot, gate, type PressureLimits } from './windows/gate.ts';
export type { WindowOptions } from './windows/hours.ts';
export {
  LoadProfile,
  type LoadProfileOptions,
  type LoadProfileSnapshot,
  type QuietOptions,
} from './windows/profile.ts';
export type { WorkWindow } from './windows/window.ts';
