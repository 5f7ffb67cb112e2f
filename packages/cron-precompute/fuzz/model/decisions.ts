import type { JobState } from '../../src/runs/state.ts';
import type { OptionsSpec } from '../plan/plan.ts';
import type { Ticks } from './ticks.ts';

/** One write of the state: between these times of day, by the clock of its process, it was decided. */
export interface Decision {
  readonly before: JobState;
  readonly after: JobState;
  readonly from: number;
  readonly to: number;
}

/** More are not counted. */
const maxCounted = 1_000;

/** What a write of the state does with ticks that the documentation says otherwise of. */
export function aboutDecision(
  { before, after, from, to }: Decision,
  ticks: Ticks,
  options: OptionsSpec,
  job: string,
): string[] {
  if (after.watermark < before.watermark) return ['ticks: the watermark goes back'];
  const { misfire, overlap, jitterMs } = options;
  const dueAt = (tick: number) => ticks.dueAt(tick, job, jitterMs);
  const all = ticks.between(before.watermark, after.watermark);
  const complaints: string[] = [];
  const complain = (what: string) => complaints.push(`ticks: ${what}`);
  const old = new Set(scheduled(before));
  const now = scheduled(after);
  const launched = now.filter(tick => !old.has(tick));
  const left = [...old].filter(tick => !now.includes(tick));
  const ended = before.running.filter(
    run => !after.running.some(other => other.scheduledAt === run.scheduledAt),
  );
  const dropped = left.filter(tick => !ended.some(({ scheduledAt }) => scheduledAt === tick));
  if (new Set(now).size < now.length) complain('one is launched twice');
  for (const tick of launched)
    if (!all.includes(tick)) complain(`one is launched that there is not, or again: ${iso(tick)}`);
  for (const tick of all) if (dueAt(tick) > to) complain(`one is decided before its time: ${iso(tick)}`);
  if (dropped.length > 0 && overlap !== 'replace') complain('one that waits is dropped');
  if (all.length >= maxCounted || complaints.length > 0) return complaints;
  const missed = sum(after) - sum(before);
  if (missed !== all.length - launched.length + dropped.length)
    complain(
      `of ${all.length}, ${launched.length} are launched, ${dropped.length} dropped, ${missed} counted as missed`,
    );
  const mayBeLaunched = (limitMs: number, at: number) =>
    all.slice(misfire.rule === 'all' ? -misfire.max : -1).filter(tick => at - dueAt(tick) <= limitMs);
  const deadlineMs = misfire.deadlineMs ?? Infinity;
  const limitMs = misfire.rule === 'skip' ? Math.min(misfire.graceMs, deadlineMs) : deadlineMs;
  const [least, most] = [mayBeLaunched(limitMs, to), mayBeLaunched(limitMs, from)];
  const paused = after.missed.paused - before.missed.paused;
  const overlapped = after.missed.overlap - before.missed.overlap;
  if (before.isPaused) {
    if (launched.length > 0) complain('one is launched while the job is paused');
    if (paused !== all.length) complain('those of a pause are not counted as such');
    return complaints;
  }
  if (paused !== 0) complain('one counts as paused without a pause');
  if (overlapped - dropped.length > 0 && overlap !== 'forbid' && overlap !== 'replace')
    complain('one counts as overlapping');
  const isBusy = before.running.length + before.queue.length > 0;
  if (overlapped > 0 && !isBusy) complain('one counts as overlapping, and nothing is there to overlap');
  for (const tick of launched)
    if (!most.includes(tick)) complain(`one is launched that the rule leaves out: ${iso(tick)}`);
  if (overlap === 'forbid' && overlapped > 0) return complaints;
  const wanted = overlap === 'replace' && isBusy ? least.slice(-1) : least;
  for (const tick of wanted)
    if (!launched.includes(tick)) complain(`one is not launched that the rule says: ${iso(tick)}`);
  return complaints;
}

/** The ticks that wait or run. */
function scheduled({ queue, running }: JobState): number[] {
  return [...running, ...queue]
    .filter(({ trigger }) => trigger === 'schedule')
    .map(({ scheduledAt }) => scheduledAt);
}

function sum({ missed: { late, overlap, paused } }: JobState): number {
  return late + overlap + paused;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
