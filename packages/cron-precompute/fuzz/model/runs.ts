import { type RunId, type RunRecord, runKey, sameRun } from '../../src/runs/record.ts';
import type { JobState } from '../../src/runs/state.ts';
import type { Version } from './versions.ts';

/** The records of runs, as they are written one after the other. */
export class Runs {
  readonly #records = new Map<string, RunRecord>();
  /** Also of those that are forgotten. */
  readonly #ended = new Map<string, RunRecord>();
  readonly #complain: (complaint: string) => void;

  constructor(complain: (complaint: string) => void) {
    this.#complain = complain;
  }

  wrote(record: RunRecord): void {
    const before = this.#records.get(runKey(record));
    this.#records.set(runKey(record), record);
    if (before !== undefined) {
      if (before.status !== 'running')
        this.#complain(`history: a run that was ${before.status} is written again`);
      if (BigInt(record.token) < BigInt(before.token)) this.#complain('history: a token goes back');
      if (record.attempt < before.attempt) this.#complain('history: an attempt goes back');
      if (record.startedAt !== before.startedAt) this.#complain('history: a run has begun twice');
    }
    if (record.status === 'running') return;
    if (record.endedAt === undefined) this.#complain('history: a run that has ended has no end');
    this.#ended.set(runKey(record), record);
  }

  deleted(key: string): void {
    const name = key.slice(key.lastIndexOf('/') + 1);
    if (this.#records.get(name)?.status === 'running')
      this.#complain('history: a run that goes on is forgotten');
    this.#records.delete(name);
  }

  /** A run leaves the state only when its record says how it has ended. */
  left(before: JobState, after: JobState): void {
    for (const run of before.running) {
      const isThere = [...after.running, ...after.queue].some(other => sameRun(run, other));
      if (!isThere && !this.#ended.has(runKey(run)))
        this.#complain('history: a run has left the state, and no record says how it ended');
    }
    for (const run of before.queue) {
      const isThere = [...after.running, ...after.queue].some(other => sameRun(run, other));
      if (!isThere && run.trigger !== 'schedule')
        this.#complain(`history: a ${run.trigger} run that waits is dropped`);
    }
    if (after.running.length > 1) this.#complain('history: two runs go on at once');
    for (const run of after.running) {
      if (this.#ended.has(runKey(run)) && !before.running.some(other => sameRun(run, other)))
        this.#complain('history: a run that has ended is launched again');
    }
  }

  /** What the records say of the versions, and the versions of the records. */
  compare(versions: readonly Version[], ticks: readonly RunId[]): void {
    for (const tick of ticks)
      if (!this.#ended.has(runKey(tick))) this.#complain('history: a run was launched and has no record');
    for (const record of this.#ended.values()) {
      const version = versions.find(({ info }) => info.scheduledAt === record.scheduledAt);
      const { status, error } = record;
      if (status === 'succeeded' && version === undefined)
        this.#complain('history: a run has succeeded, and published nothing');
      // Whether a run that crashed too often had published before, nobody knows who gives it up
      const isCrashed =
        status === 'failed' && /process ended|could not be recorded/.test(error?.message ?? '');
      if (status !== 'succeeded' && version !== undefined && !isCrashed)
        this.#complain(`history: a run that is ${status} has published`);
    }
    for (const { info } of versions) {
      if (![...this.#ended.values()].some(({ scheduledAt }) => scheduledAt === info.scheduledAt))
        this.#complain('history: a version is of no run');
    }
  }

  get ended(): readonly RunRecord[] {
    return [...this.#ended.values()];
  }
}
