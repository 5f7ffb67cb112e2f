import { systemClock } from '@ashlar/core';
import type { Lease, Store } from '@ashlar/store';
import { JournalError, JournalTakenError } from '../../errors.ts';
import type { WriterContext } from '../write-strategy.ts';
import { recordName, takeOver } from './journal-takeover.ts';
import type { AcceptedWrite } from './pending-writes.ts';

export interface JournalOptions {
  readonly store: Store;
  /** Of the journal's keys in the store, and the name of its lease. One process at a time has it. */
  readonly prefix: string;
  /**
   * For how long a process that is not heard of keeps the journal; several times the store's `timeoutMs`. 10 000 by
   * default. Who loses it, as after a long stop, writes no more, and takes it again when it can.
   */
  readonly leaseMs?: number;
  /** How long a start waits for another process to give it up, before JournalTakenError. 15 000 by default. */
  readonly waitMs?: number;
}

interface Header<K> {
  readonly key: K;
  readonly sequence: number;
  readonly deletes?: true;
}

export interface JournalParts<K, V> extends Required<JournalOptions> {
  readonly context: WriterContext<K, V>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });
const newline = 10;

/**
 * What is pending, in a store: the last accepted write of each key. A record is a line of JSON and the value's bytes.
 *
 * One process has the journal, by a lease; the records that it writes carry the lease's token in their names. Who takes
 * over copies what it finds under its own token, then seals: what is of an older token and comes later, from a process that
 * stood still, is never read. A write counts as accepted only if the lease was held for sure after it was recorded, so
 * what was accepted was there for who took over.
 */
export class Journal<K, V> {
  readonly #parts: JournalParts<K, V>;
  /** The versions of the records by id and sequence: one is forgotten only if it is still the same. */
  readonly #versions = new Map<unknown, { readonly sequence: number; readonly version: string }>();
  #lease: Lease | undefined;

  constructor(parts: JournalParts<K, V>) {
    this.#parts = parts;
  }

  get durability(): Store['durability'] {
    return this.#parts.store.durability;
  }

  /** Right also just after a stall. */
  get isHeld(): boolean {
    try {
      this.#lease?.assertHeld();
      return this.#lease !== undefined;
    } catch {
      return false;
    }
  }

  /**
   * Takes the journal, waiting for another process to give it up; gives what an earlier one left. `lost` is called when
   * this process has it no more, unless it was closed. @throws JournalError
   */
  async open(lost: (reason: unknown) => void, ending: AbortSignal): Promise<readonly AcceptedWrite<K, V>[]> {
    const lease = await this.#acquire(ending);
    try {
      const pending = await this.#takeOver(lease);
      this.#lease = lease;
      lease.signal.addEventListener('abort', () => {
        if (this.#lease === lease) lost(new JournalError(this.#name, 'lost', lease.signal.reason));
      });
      lease.assertHeld();
      return pending;
    } catch (error) {
      this.#lease = undefined;
      await lease.release().catch(() => {});
      throw new JournalError(this.#name, 'could not read', error);
    }
  }

  /** @throws JournalError */
  async put({ id, key, value, sequence }: AcceptedWrite<K, V>): Promise<void> {
    const lease = this.#lease!;
    try {
      const header: Header<K> = { key, sequence, ...(value === undefined ? { deletes: true } : {}) };
      const line = encoder.encode(`${JSON.stringify(header)}\n`);
      const { serializer } = this.#parts.context;
      const bytes = value === undefined ? new Uint8Array() : await serializer.encode(value);
      const record = new Uint8Array(line.length + bytes.length);
      record.set(line);
      record.set(bytes, line.length);
      lease.assertHeld();
      const version = await this.#parts.store.set(this.#nameOf(lease, id), record);
      lease.assertHeld();
      this.#versions.set(id, { sequence, version });
    } catch (error) {
      throw new JournalError(this.#name, 'could not write', error);
    }
  }

  /** The source has them. A record that cannot be deleted is written once more after the next start. */
  async forget(items: readonly AcceptedWrite<K, V>[]): Promise<void> {
    const lease = this.#lease;
    if (lease === undefined) return;
    await Promise.allSettled(
      items.map(async ({ id, sequence }) => {
        const record = this.#versions.get(id);
        if (record === undefined || record.sequence > sequence) return;
        this.#versions.delete(id);
        await this.#parts.store.delete(this.#nameOf(lease, id), { ifVersion: record.version });
      }),
    );
  }

  /** Another process may have it. */
  async close(): Promise<void> {
    const lease = this.#lease;
    this.#lease = undefined;
    await lease?.release().catch(() => {}); // else it is free when its time is over
  }

  get #name(): string {
    return this.#parts.context.name;
  }

  #nameOf({ token }: Lease, id: unknown): string {
    return recordName(this.#parts.prefix, token, id);
  }

  async #acquire(ending: AbortSignal): Promise<Lease> {
    const { Lease } = await import('./lease.ts');
    const { store, prefix, leaseMs, waitMs, context } = this.#parts;
    const { name, clock = systemClock } = context;
    const terms = { ttlMs: leaseMs, ...(context.clock === undefined ? {} : { clock }) };
    const taken = new JournalTakenError(name, prefix, waitMs);
    const waiting = new AbortController();
    const acquired = new AbortController();
    const over = AbortSignal.any([ending, acquired.signal]);
    clock.sleep(waitMs, over).then(
      () => waiting.abort(taken),
      () => waiting.abort(over.reason),
    );
    try {
      const lease =
        waitMs === 0
          ? await Lease.tryAcquire(store, prefix, terms)
          : await Lease.acquire(store, prefix, { ...terms, signal: waiting.signal });
      if (lease !== undefined) return lease;
    } catch (error) {
      throw error === taken ? taken : new JournalError(name, 'could not open', error);
    } finally {
      acquired.abort();
    }
    throw taken;
  }

  async #takeOver(lease: Lease): Promise<readonly AcceptedWrite<K, V>[]> {
    const { store, prefix } = this.#parts;
    const writes = new Map<string, AcceptedWrite<K, V>>();
    const records = await takeOver(store, prefix, lease, async ({ id, bytes }) => {
      writes.set(id, await this.#read(id, bytes));
    });
    this.#versions.clear();
    for (const { id, version } of records) {
      this.#versions.set(id, { sequence: writes.get(id)!.sequence, version });
    }
    return [...writes.values()].sort((a, b) => a.sequence - b.sequence);
  }

  async #read(id: string, record: Uint8Array): Promise<AcceptedWrite<K, V>> {
    const end = record.indexOf(newline);
    const { key, sequence, deletes } = JSON.parse(decoder.decode(record.subarray(0, end))) as Header<K>;
    const bytes = record.subarray(end + 1);
    return {
      ...{ id, key, sequence },
      value: deletes ? undefined : await this.#parts.context.serializer.decode(bytes),
    };
  }
}
