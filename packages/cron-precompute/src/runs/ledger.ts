import {
  fromJson,
  getJson,
  type JsonEntry,
  type Store,
  setJson,
  type Version,
  VersionConflictError,
} from '@ashlar/store';
import { type RunId, type RunRecord, runKey } from './record.ts';
import type { JobState } from './state.ts';

/** The values of one job in the store: its state, and a record for each of its last runs. */
export class Ledger {
  readonly #store: Store;
  readonly #prefix: string;

  constructor(store: Store, job: string) {
    this.#store = store;
    this.#prefix = `cron/${job}`;
  }

  /** The claim that a run is made under. */
  leaseName(run?: RunId): string {
    return run === undefined ? this.#prefix : `${this.#prefix}/${runKey(run)}`;
  }

  state(): Promise<JsonEntry<JobState> | undefined> {
    return getJson<JobState>(this.#store, `${this.#prefix}/state`);
  }

  /** Writes the state if it is still this version; whether it did. */
  async setState(state: JobState, ifVersion: Version | 'absent'): Promise<boolean> {
    return (await this.#set(`${this.#prefix}/state`, state, ifVersion)) !== undefined;
  }

  /** Reads and writes until no other has written in between. `change` returns what it was given when it changes nothing. */
  async update(change: (state: JobState) => JobState): Promise<JobState> {
    for (;;) {
      const entry = await this.state();
      if (entry === undefined) throw new Error(`there is no state of ${this.#prefix}`);
      const next = change(entry.value);
      if (next === entry.value || (await this.setState(next, entry.version))) return next;
    }
  }

  record(run: RunId): Promise<JsonEntry<RunRecord> | undefined> {
    return getJson<RunRecord>(this.#store, this.#recordKey(run));
  }

  /** The new version, or `undefined` when another has written the record. */
  setRecord(record: RunRecord, ifVersion: Version | 'absent'): Promise<Version | undefined> {
    return this.#set(this.#recordKey(record), record, ifVersion);
  }

  /** The records that are kept: what began last comes first, whatever tick it is for. */
  async history(): Promise<RunRecord[]> {
    return (await this.#records()).map(({ value }) => value).reverse();
  }

  /** Forgets what an earlier run for the tick was, when it has ended, so that another may be launched. */
  async renew(run: RunId): Promise<void> {
    const known = await this.record(run);
    if (known === undefined || known.value.status === 'running') return;
    await this.#delete(known);
  }

  /** Forgets the runs that began first, of those that have ended. */
  async forget(keep: number): Promise<void> {
    const records = await this.#records();
    for (const record of records.slice(0, Math.max(0, records.length - keep))) {
      if (record.value.status !== 'running') await this.#delete(record);
    }
  }

  async #delete({ value, version }: JsonEntry<RunRecord>): Promise<void> {
    await this.#store.delete(this.#recordKey(value), { ifVersion: version });
  }

  /** What began first comes first. */
  async #records(): Promise<JsonEntry<RunRecord>[]> {
    const entries: JsonEntry<RunRecord>[] = [];
    for await (const entry of this.#store.list(`${this.#prefix}/runs/`))
      entries.push(fromJson<RunRecord>(entry));
    return entries.sort(
      ({ value: a }, { value: b }) => a.startedAt - b.startedAt || Number(BigInt(a.token) - BigInt(b.token)),
    );
  }

  #recordKey(run: RunId): string {
    return `${this.#prefix}/runs/${runKey(run)}`;
  }

  async #set(key: string, value: unknown, ifVersion: Version | 'absent'): Promise<Version | undefined> {
    try {
      return await setJson(this.#store, key, value, { ifVersion });
    } catch (error) {
      if (error instanceof VersionConflictError) return undefined;
      throw error;
    }
  }
}
