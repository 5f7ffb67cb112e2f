import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout as delay } from 'node:timers/promises';
import type { CallOutcome, Random } from '@ashlar/core';
import { within } from '@workspace/services';
import { StoreUnavailableError, VersionConflictError } from '../../src/errors.ts';
import type { Entry, Store } from '../../src/index.ts';
import { follow } from '../../src/watches/follow.ts';
import type { Client } from '../client.ts';
import type { Tally } from '../fault.ts';
import { Tenures } from './tenures.ts';

const disconnected = 'ashlar:store:disconnected';
const claimTtlMs = 1_500;

/** What was told of the writes of one key, or of the steps of a count. */
interface Told {
  readonly acknowledged: number[];
  readonly unknown: number[];
}

/**
 * Processes at work on one store, who note all that they are told. Each writes a key of its own, counts one key up by
 * its version, and contends for a name; one of them watches.
 */
export class Traffic {
  readonly #store: Store;
  readonly #prefix: string;
  readonly #random: Random;
  readonly #patienceMs: number;
  readonly #resting = new AbortController();
  readonly #ending = new AbortController();
  readonly #told = new Map<string, Told>();
  readonly #counted: Told = { acknowledged: [], unknown: [] };
  readonly #tenures = new Tenures();
  readonly #acknowledgedAt: number[] = [];
  readonly #noticedAt: number[] = [];
  #failures = 0;
  readonly #remarks: string[] = [];
  readonly #working: Promise<void>;
  readonly #watching: Promise<void>;
  #view: ReadonlyMap<string, Entry> = new Map();

  /** Whatever is waited for for longer than `patienceMs` counts as a broken promise. */
  constructor(clients: readonly Client[], prefix: string, random: Random, patienceMs = 20_000) {
    this.#store = clients[0]!.store;
    this.#prefix = prefix;
    this.#random = random;
    this.#patienceMs = patienceMs;
    const works = clients.flatMap(({ store }, index) => [
      this.#write(store, `${prefix}key-${index}`),
      this.#count(store, `${prefix}count`),
      this.#contend(store, `holder ${index}`),
    ]);
    const remark = (error: unknown) => void this.#remarks.push(String(error));
    this.#working = Promise.all(works.map(work => work.catch(remark))).then(() => {});
    this.#watching = this.#watch(clients[0]!.store).catch(remark);
    subscribe(disconnected, this.#onDisconnect);
  }

  /** Resolves when so many more operations were acknowledged than before. */
  async busy(count: number): Promise<void> {
    const enough = this.#acknowledgedAt.length + count;
    const found = await within(this.#patienceMs, () => this.#acknowledgedAt[enough]);
    if (found === undefined) this.#remarks.push(`no ${count} operations in ${this.#patienceMs} ms`);
  }

  /** When the first operation failed after that moment, or a watch was told that the server is gone. */
  async noticedAfter(at: number): Promise<number> {
    const found = await within(this.#patienceMs, () => this.#noticedAt.find(noticedAt => noticedAt >= at));
    if (found === undefined) this.#remarks.push(`nobody noticed within ${this.#patienceMs} ms`);
    return found ?? at + this.#patienceMs;
  }

  /** When the first operation was acknowledged after that moment. */
  async acknowledgedAfter(at: number): Promise<number> {
    const found = await within(this.#patienceMs, () => this.#acknowledgedAt.find(time => time >= at));
    if (found === undefined) this.#remarks.push(`service did not resume within ${this.#patienceMs} ms`);
    return found ?? at + this.#patienceMs;
  }

  /** Lets everybody finish, then compares what they were told with what is there. */
  async end(tally: Tally): Promise<void> {
    this.#resting.abort();
    await this.#working;
    const entries = await within(this.#patienceMs, async () => {
      const listed = await all(this.#store.list(this.#prefix)).catch(() => undefined);
      return listed !== undefined && isSame(this.#view, listed) ? listed : undefined;
    });
    if (entries === undefined) this.#remarks.push('the watch missed a last state');
    this.#ending.abort();
    await this.#watching;
    unsubscribe(disconnected, this.#onDisconnect);
    this.#judge(tally, entries ?? []);
  }

  #judge(tally: Tally, entries: readonly Entry[]): void {
    const values = new Map(entries.map(entry => [entry.key, numberOf(entry)]));
    for (const [key, { acknowledged, unknown }] of this.#told) {
      const found = values.get(key) ?? 0;
      const last = acknowledged.at(-1) ?? 0;
      // what was given up may take effect later than what was asked for after it
      if (unknown.includes(found)) continue;
      tally.lost += acknowledged.filter(value => value > found).length;
      tally.expect(found <= last, `${key} is ${found}, which nobody wrote`);
    }
    const count = values.get(`${this.#prefix}count`) ?? 0;
    const [least, most] = [this.#counted.acknowledged.length, this.#counted.unknown.length];
    tally.lost += Math.max(0, least - count);
    tally.duplicated += Math.max(0, count - least - most);
    this.#tenures.judge(tally);
    tally.operations += this.#acknowledgedAt.length + this.#failures;
    tally.remarks.push(...this.#remarks);
  }

  async #write(store: Store, key: string): Promise<void> {
    const told: Told = { acknowledged: [], unknown: [] };
    this.#told.set(key, told);
    for (let value = 1; !this.#resting.signal.aborted; value++) {
      await this.#pause();
      const result = await this.#ask(() => store.set(key, bytesOf(value)));
      if ('value' in result) told.acknowledged.push(value);
      else if (result.outcome === 'Unknown') told.unknown.push(value);
    }
  }

  async #count(store: Store, key: string): Promise<void> {
    while (!this.#resting.signal.aborted) {
      await this.#pause();
      const found = await this.#ask(() => store.get(key));
      if (!('value' in found)) continue;
      const entry = found.value;
      const next = entry === undefined ? 1 : numberOf(entry) + 1;
      const result = await this.#ask(() =>
        store.set(key, bytesOf(next), { ifVersion: entry?.version ?? 'absent' }),
      );
      if ('value' in result) this.#counted.acknowledged.push(next);
      else if (result.outcome === 'Unknown') this.#counted.unknown.push(next);
    }
  }

  async #contend(store: Store, holder: string): Promise<void> {
    const name = `${this.#prefix}name`;
    while (!this.#resting.signal.aborted) {
      await this.#pause();
      const sentAt = performance.now();
      const result = await this.#ask(() => store.claim(name, holder, claimTtlMs));
      if (!('value' in result) || result.value === undefined) continue;
      const { token } = result.value;
      const givenAt = performance.now();
      await this.#pause();
      const endedAt = Math.min(performance.now(), sentAt + claimTtlMs);
      this.#tenures.add({ holder, token, sentAt, givenAt, endedAt });
      await this.#ask(() => store.release(name, token));
    }
  }

  async #watch(store: Store): Promise<void> {
    for await (const view of follow(store, this.#prefix, this.#ending)) this.#view = view;
  }

  /** Notes when it was answered, or failed; a conflict of versions is an answer too. */
  async #ask<T>(work: () => Promise<T>): Promise<{ value: T } | { outcome: CallOutcome }> {
    try {
      const value = await work();
      this.#acknowledgedAt.push(performance.now());
      return { value };
    } catch (error) {
      if (error instanceof VersionConflictError) return error;
      if (!(error instanceof StoreUnavailableError)) throw error;
      this.#noticedAt.push(performance.now());
      this.#failures++;
      return error;
    }
  }

  readonly #onDisconnect = (): void => void this.#noticedAt.push(performance.now());

  #pause(): Promise<void> {
    return delay(2 + 6 * this.#random());
  }
}

function bytesOf(value: number): Uint8Array {
  return Buffer.from(String(value));
}

function numberOf({ value }: Entry): number {
  return Number(Buffer.from(value).toString());
}

async function all(entries: AsyncIterable<Entry>): Promise<Entry[]> {
  const found: Entry[] = [];
  for await (const entry of entries) found.push(entry);
  return found;
}

function isSame(view: ReadonlyMap<string, Entry>, entries: readonly Entry[]): boolean {
  return (
    view.size === entries.length && entries.every(({ key, version }) => view.get(key)?.version === version)
  );
}
