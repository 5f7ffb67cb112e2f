import { AshlarError, systemClock } from '@ashlar/core';
import { type Driver, GroupGoneError } from '../../src/index.ts';
import type { GroupModel } from '../model/group-model.ts';
import type { Plan } from '../plan/plan.ts';
import type { Site, Stage, Wrap } from '../sites/site.ts';

export interface PlayOptions {
  readonly wrap?: Wrap;
  /** What never ends is given up after so long, in milliseconds; nothing that ends needs it. Default: 60 000. */
  readonly patienceMs?: number;
}

export const topic = 'topic';

/** A case that is played: its drivers, what is known of its groups, and what breaks a promise. */
export class Case {
  readonly complaints: string[] = [];
  readonly site: Site;
  readonly stage: Stage;
  readonly plan: Plan;
  readonly patienceMs: number;
  readonly groups: Map<string, GroupModel> = new Map();
  /** Of the next message, in the order of publishing. */
  sequence = 0;
  /** Whether connections were broken: then calls may fail. */
  isDisturbed = false;
  /** Whether groups were deleted: then iterations over them may end. */
  isMeddledWith = false;
  /** Whether the backend may take messages out of groups by itself. */
  takesOut = false;
  readonly #drivers: readonly Driver[];

  constructor(
    site: Site,
    stage: Stage,
    plan: Plan,
    { wrap = driver => driver, patienceMs = 60_000 }: PlayOptions,
  ) {
    this.site = site;
    this.stage = stage;
    this.plan = plan;
    this.patienceMs = patienceMs;
    this.#drivers = stage.drivers.map(wrap);
  }

  /** Whether time and order are exact. */
  get isExact(): boolean {
    return !this.site.breaks;
  }

  driver(process: number): Driver {
    return this.#drivers[process % this.#drivers.length]!;
  }

  /** Whether it ended, either way. */
  async settles(work: Promise<unknown>): Promise<boolean> {
    const end = new AbortController();
    const late = systemClock.sleep(this.patienceMs, end.signal).then(
      () => false,
      () => false,
    );
    const settled = work.then(
      () => true,
      () => true,
    );
    try {
      return await Promise.race([settled, late]);
    } finally {
      end.abort();
    }
  }

  /** The value of a call, or nothing when it failed in a way that the case explains. */
  async call<T>(name: string, work: Promise<T>): Promise<{ readonly value: T } | undefined> {
    let value: { readonly value: T } | undefined;
    const error = await this.outcome(
      name,
      work.then(result => {
        value = { value: result };
      }),
    );
    if (error !== undefined && !this.isDisturbed) this.complaints.push(`${name}: it failed with ${error}`);
    return value;
  }

  /** Of a group that nobody declared. */
  async missing(name: string, work: Promise<unknown>): Promise<void> {
    const error = await this.outcome(name, work);
    if (error instanceof GroupGoneError || (error !== undefined && this.isDisturbed)) return;
    this.complaints.push(
      `${name}: there is no group, and it ${error ? `failed with ${error}` : 'succeeded'}`,
    );
  }

  async outcome(name: string, work: Promise<unknown>): Promise<unknown> {
    let error: unknown;
    const caught = work.catch(reason => {
      error = reason ?? new Error('nothing');
    });
    if (!(await this.settles(caught))) {
      this.complaints.push(`${name}: it never settled`);
      return new Error('it never settled');
    }
    if (error !== undefined && !(error instanceof AshlarError)) {
      this.complaints.push(`${name}: an error without a type: ${error}`);
    }
    return error;
  }
}
