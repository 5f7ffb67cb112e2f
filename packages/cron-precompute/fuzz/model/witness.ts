import { fromJson, type Store } from '@ashlar/store';
import { MissingVersionError } from '../../src/errors.ts';
import { noPointer, type Pointer } from '../../src/publish/pointer.ts';
import { type RunId, type RunRecord, sameRun } from '../../src/runs/record.ts';
import type { JobState } from '../../src/runs/state.ts';
import type { OptionsSpec } from '../plan/plan.ts';
import type { Observer, Process } from '../world/process.ts';
import type { Rows } from '../world/rows.ts';
import { aboutDecision } from './decisions.ts';
import { Runs } from './runs.ts';
import type { Ticks } from './ticks.ts';
import { Versions } from './versions.ts';

export interface WitnessOptions {
  readonly store: Store;
  readonly name: string;
  readonly rows: Rows;
  readonly ticks: Ticks;
  readonly options: OptionsSpec;
}

/** How often a process may look at the state at one moment: it does a few things that are to do, and rests. */
const mostLooks = 1_000;

/** Sees each write to the store, and complains about what breaks a promise. */
export class Witness implements Observer {
  readonly complaints: string[] = [];
  readonly runs: Runs;
  readonly versions: Versions;
  /** Runs of the schedule that have begun. */
  readonly launched: RunId[] = [];
  readonly #options: WitnessOptions;
  /** When a process has first seen a version of the state, by its clock. */
  readonly #seen = new Map<string, number>();
  readonly #looks = new WeakMap<Process, { readonly at: number; count: number }>();
  #state: { readonly value: JobState; readonly version: string } | undefined;
  #pointer: Pointer = noPointer;

  constructor(options: WitnessOptions) {
    const { store, name, rows } = options;
    this.#options = options;
    this.runs = new Runs(complaint => this.complain(complaint));
    this.versions = new Versions(store, name, rows, complaint => this.complain(complaint));
  }

  get state(): JobState | undefined {
    return this.#state?.value;
  }

  get pointer(): Pointer {
    return this.#pointer;
  }

  complain(complaint: string): void {
    this.complaints.push(complaint);
  }

  /** A version that is kept can be read, by who loads it and by a rollback. */
  failed(error: unknown): void {
    if (!(error instanceof MissingVersionError) || !/manifest|chunk/.test(error.message)) return;
    if (this.#pointer.versions.some(({ version }) => version === error.version))
      this.complain(`version: one that is kept is not whole: ${error.message}`);
  }

  seen(process: Process, key: string, version: string | undefined): void {
    if (key.endsWith('/state')) this.#looked(process);
    const name = `${process.name} ${version}`;
    if (key.endsWith('/state') && !this.#seen.has(name)) this.#seen.set(name, process.wallMs());
  }

  /** One that never rests would keep the case from going on. */
  #looked(process: Process): void {
    const at = process.now();
    let looks = this.#looks.get(process);
    if (looks?.at !== at) {
      looks = { at, count: 0 };
      this.#looks.set(process, looks);
    }
    if (++looks.count !== mostLooks) return;
    this.complain('looks: a process looks again and again without a rest');
    process.kill();
  }

  async wrote(
    process: Process,
    key: string,
    value: Uint8Array,
    was: string | undefined,
    version: string,
  ): Promise<void> {
    const read = <T>() => fromJson<T>({ key, value, version }).value;
    if (key.includes('/runs/')) this.runs.wrote(read<RunRecord>());
    if (key.endsWith('/state')) this.#decided(process, read<JobState>(), was, version);
    if (key.endsWith('/pointer')) {
      const before = this.#pointer;
      this.#pointer = read<Pointer>();
      await this.versions.wrote(before, this.#pointer);
    }
  }

  deleted(_process: Process, key: string): void {
    if (key.includes('/runs/')) this.runs.deleted(key);
  }

  #decided(process: Process, after: JobState, was: string | undefined, version: string): void {
    const known = this.#state;
    this.#state = { value: after, version };
    if (known === undefined) return;
    if (was !== known.version) return void this.complain('ticks: the state is written over another one');
    const before = known.value;
    const to = process.wallMs();
    const from = Math.min(to, this.#seen.get(`${process.name} ${known.version}`) ?? to);
    const { ticks, options, name } = this.#options;
    for (const each of aboutDecision({ before, after, from, to }, ticks, options, name)) this.complain(each);
    this.runs.left(before, after);
    for (const run of after.running) {
      const isKnown = this.launched.some(other => sameRun(run, other));
      if (run.trigger === 'schedule' && !isKnown) this.launched.push(run);
    }
  }
}
