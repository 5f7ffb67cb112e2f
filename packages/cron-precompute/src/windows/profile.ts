import {
  type Checked,
  durationMs,
  number,
  objectWith,
  type Rule,
  type RulesFor,
  readOptions,
  refused,
  required,
  text,
} from '@ashlar/core';
import { getJson, type Store, setJson, VersionConflictError } from '@ashlar/store';
import { type WallClock, wallClock } from '../clock.ts';
import { channels } from '../diagnostics.ts';
import { Zone } from '../schedule/zone.ts';
import { HourWindow, type WindowOptions } from './hours.ts';
import { QuietWindow } from './quiet.ts';
import { type LoadWeek, merged, type SlotSum, slotAt, slotsInWeek } from './week.ts';
import type { WorkWindow } from './window.ts';

export interface LoadProfileOptions {
  /** Identifies it in the store: the same in every process. */
  readonly name: string;
  readonly store: Store;
  /** The IANA zone whose days and hours it learns. Default: `UTC`. */
  readonly timeZone?: string;
  /** How often what was observed is written, and what others have written is read, in milliseconds. Default: 60 000. */
  readonly flushMs?: number;
  /** Default: the machine's. */
  readonly clock?: WallClock;
}

export interface QuietOptions {
  /** How long it is open each day, in hours, at one stretch. Default: 6. */
  readonly hours?: number;
  /** The window while there is no full week yet. */
  readonly until: WindowOptions;
}

export interface LoadProfileSnapshot {
  readonly name: string;
  /** The mean load of each half hour of the week from Monday on; `null` where nothing was observed. */
  readonly slots: readonly (number | null)[];
  /** Observations that are not written yet. */
  readonly pending: number;
}

const storeRule = objectWith<Store>(['get', 'set'], 'write `memoryStore()`');
const rules = {
  name: required(text(), 'it is the same in every process'),
  store: required(storeRule, 'write `memoryStore()`'),
  timeZone: text('UTC'),
  flushMs: durationMs(60_000, { min: 10 }),
  clock: wallClock,
} satisfies RulesFor<LoadProfileOptions>;

const untilRule: Rule<WindowOptions> = required(
  objectWith<WindowOptions>([]),
  "write `{ from: '01:00', to: '06:00' }` for the first week",
);
const quietRules = {
  hours: number(6, { min: 0.5, max: 23.5 }),
  until: untilRule,
} satisfies RulesFor<QuietOptions>;

/**
 * When users come, learned from what processes observe: the mean load of each half hour of a week, of all processes, in the store. A
 * week counts half as much as the one after it.
 */
export class LoadProfile implements AsyncDisposable {
  readonly name: string;
  readonly #settings: Checked<typeof rules>;
  readonly #zone: Zone;
  /** What this process has observed since the last write. */
  #pending = new Map<number, SlotSum>();
  #week: LoadWeek = [];
  #flushedAt = -Infinity;
  #readAt = -Infinity;
  #flushing: Promise<void> | undefined;

  /** @throws InvalidOptionError */
  constructor(options: LoadProfileOptions) {
    this.#settings = readOptions('LoadProfile', options, rules);
    this.name = this.#settings.name;
    this.#zone = new Zone(this.#settings.timeZone);
  }

  /**
   * The load of now, of this process: requests a second, a utilization, always the same unit. Call it every few seconds. Writes now
   * and then, without being waited for.
   *
   * @throws InvalidOptionError
   */
  observe(load: number): void {
    if (!(Number.isFinite(load) && load >= 0)) throw refused('load', 'a number of at least 0', load);
    const { clock, flushMs } = this.#settings;
    const { slot, week } = slotAt(clock.wallMs(), this.#zone);
    const known = this.#pending.get(slot);
    const same = known?.week === week ? known : { sum: 0, count: 0, week };
    this.#pending.set(slot, { sum: same.sum + load, count: same.count + 1, week });
    const now = clock.now();
    if (now - this.#flushedAt < flushMs) return;
    this.flush().catch((error: unknown) => {
      if (channels.failed.hasSubscribers) channels.failed.publish({ job: this.name, error });
    });
  }

  /** Writes what was observed. When it rejects, with the store's error, it is kept for the next time. */
  async flush(): Promise<void> {
    this.#flushedAt = this.#settings.clock.now();
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = undefined;
    });
    await this.#flushing;
  }

  /** Reads what all processes have observed, when it was read long ago. */
  async refresh(): Promise<void> {
    const { store, clock, flushMs } = this.#settings;
    const now = clock.now();
    if (now - this.#readAt < flushMs) return;
    this.#week = (await getJson<LoadWeek>(store, this.#key))?.value ?? [];
    this.#readAt = now;
  }

  /**
   * The quietest stretch of each day, by what is known then, as the `window` of a job or data set.
   *
   * @throws InvalidOptionError
   */
  quiet(options: QuietOptions): WorkWindow {
    const { hours, until } = readOptions('quiet', options, quietRules);
    const first = new HourWindow(until, this.#zone.name, 'until');
    return new QuietWindow({
      zone: this.#zone,
      slots: Math.round(hours * 2),
      until: first,
      week: () => this.#week,
      refresh: () => this.refresh(),
    });
  }

  snapshot(): LoadProfileSnapshot {
    const slots = Array.from({ length: slotsInWeek }, (_, slot) => {
      const known = this.#week[slot];
      return known ? known.sum / known.count : null;
    });
    let pending = 0;
    for (const { count } of this.#pending.values()) pending += count;
    return { name: this.name, slots, pending };
  }

  /** Writes what was observed. Rejects with the store's error. */
  close(): Promise<void> {
    return this.flush();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get #key(): string {
    return `load-profile/${this.name}`;
  }

  async #flush(): Promise<void> {
    const batch = this.#pending;
    if (batch.size === 0) return;
    this.#pending = new Map();
    try {
      await this.#merge(batch);
    } catch (error) {
      // What came meanwhile is of the same half hour, or of a later one, which is the one to keep
      for (const [slot, sum] of batch) if (!this.#pending.has(slot)) this.#pending.set(slot, sum);
      throw error;
    }
  }

  async #merge(batch: ReadonlyMap<number, SlotSum>): Promise<void> {
    const { store, clock } = this.#settings;
    for (;;) {
      const entry = await getJson<LoadWeek>(store, this.#key);
      const week = merged(entry?.value ?? [], batch);
      try {
        await setJson(store, this.#key, week, { ifVersion: entry?.version ?? 'absent' });
      } catch (error) {
        if (error instanceof VersionConflictError) continue;
        throw error;
      }
      this.#week = week;
      this.#readAt = clock.now();
      return;
    }
  }
}
