import { type Channel, channel } from '@ashlar/core';
import type { RunRecord, Trigger } from './runs/record.ts';

interface OfJob {
  readonly job: string;
}

interface OfRun extends OfJob {
  readonly scheduledAt: number;
  readonly trigger: Trigger;
  readonly token: bigint;
}

/** An attempt begins in this process. */
export interface RunStartedMessage extends OfRun {
  readonly attempt: number;
}
/** An attempt has ended here; without a `record`, another process goes on with the run. */
export interface RunEndedMessage extends OfRun {
  readonly durationMs: number;
  readonly record?: RunRecord;
  readonly error?: unknown;
}
/** What the work returned cannot be kept, as JSON of at most 10 000 characters. The run has succeeded: its effect happened. */
export interface ResultDroppedMessage extends OfRun {
  readonly error: unknown;
}
/** The scheduler could not do its work, as when the store does not answer. It tries again. */
export interface FailedMessage extends OfJob {
  readonly error: unknown;
}
/** No tick comes any more: the years of the pattern have passed, or a blackout has no end. Runs that wait are launched. */
export interface ScheduleOverMessage extends OfJob {
  readonly schedule: string;
}

interface OfVersion {
  readonly name: string;
  readonly version: number;
}

/** A version was published, by this process. */
export interface PublishedMessage extends OfVersion {
  readonly entries: number;
  readonly bytes: number;
}
/** This process serves another version. */
export interface LoadedMessage extends OfVersion {
  readonly entries: number;
  readonly durationMs: number;
  /** With `snapshot: 'shared'`: why this thread had to build the table. */
  readonly workerError?: unknown;
}
/** A version could not be loaded. The one before it is served. */
export interface LoadFailedMessage {
  readonly name: string;
  readonly error: unknown;
}
/** A sink did not take an entry. The version is published all the same. */
export interface SinkFailedMessage extends OfVersion {
  readonly error: unknown;
}

/** The `node:diagnostics_channel`s of this package. A message is built only while there is a subscriber. */
export const channels: {
  readonly runStarted: Channel<RunStartedMessage>;
  readonly runEnded: Channel<RunEndedMessage>;
  readonly resultDropped: Channel<ResultDroppedMessage>;
  readonly failed: Channel<FailedMessage>;
  readonly scheduleOver: Channel<ScheduleOverMessage>;
  readonly published: Channel<PublishedMessage>;
  readonly loaded: Channel<LoadedMessage>;
  readonly loadFailed: Channel<LoadFailedMessage>;
  readonly sinkFailed: Channel<SinkFailedMessage>;
} = {
  runStarted: channel('ashlar:cron-precompute:run-started'),
  runEnded: channel('ashlar:cron-precompute:run-ended'),
  resultDropped: channel('ashlar:cron-precompute:result-dropped'),
  failed: channel('ashlar:cron-precompute:failed'),
  scheduleOver: channel('ashlar:cron-precompute:schedule-over'),
  published: channel('ashlar:cron-precompute:published'),
  loaded: channel('ashlar:cron-precompute:loaded'),
  loadFailed: channel('ashlar:cron-precompute:load-failed'),
  sinkFailed: channel('ashlar:cron-precompute:sink-failed'),
};
