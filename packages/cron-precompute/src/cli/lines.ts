import type { VersionInfo } from '../publish/pointer.ts';
import type { Progress, RunRecord } from '../runs/record.ts';

/** A run as a row of the table under `historyHead`. */
export function historyRow(run: RunRecord): string[] {
  const { scheduledAt, trigger, status, attempt, startedAt, endedAt, error, progress, resultDropped } = run;
  const took = endedAt === undefined ? progressText(progress) : durationText(endedAt - startedAt);
  const told = error?.message ?? (resultDropped === undefined ? '' : `result dropped: ${resultDropped}`);
  return [timeText(scheduledAt), trigger, status, `${attempt}`, took, told.slice(0, 100)];
}

export const historyHead: readonly string[] = ['tick', 'trigger', 'status', 'attempt', 'took', 'error'];

/** A version as a row of the table under `versionsHead`. */
export function versionRow(info: VersionInfo & { readonly isCurrent: boolean }): string[] {
  const { version, publishedAt, dataAt, entries, bytes, isCurrent } = info;
  const name = `${version}${isCurrent ? ', served' : ''}`;
  return [name, timeText(publishedAt), timeText(dataAt), `${entries}`, `${bytes}`];
}

export const versionsHead: readonly string[] = ['version', 'published', 'data of', 'entries', 'bytes'];

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}

/** How far a run is, as `300 of 1000, 50.0 a second, 14 s left`. */
export function progressText(progress: Progress | undefined): string {
  if (progress === undefined) return '';
  const { done, total, perSecond, etaMs } = progress;
  const of = total === undefined ? '' : ` of ${total}`;
  const rate = perSecond === undefined ? '' : `, ${perSecond.toFixed(1)} a second`;
  return `${done}${of}${rate}${etaMs === undefined ? '' : `, ${durationText(etaMs)} left`}`;
}

function durationText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  return ms < 120_000 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`;
}
