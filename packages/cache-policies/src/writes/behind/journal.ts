import { backgroundClock, withDeadline } from '@ashlar/core';
import type { Lease, Store } from '@ashlar/store';
import { JournalError, JournalTakenError } from '../../errors.ts';
import type { WriterContext } from '../write-strategy.ts';
import { recordName, takeOver } from './journal-takeover.ts';
import type { JournalSettings } from './options.ts';
import type { AcceptedWrite } from './pending-writes.ts';

interface Header {
  readonly key: unknown;
  /** Of a key that JSON would change: `key` is its text. */
  readonly type?: 'number' | 'bigint';
  readonly sequence: number;
  readonly deletes?: true;
}

export interface JournalParts<K, V> extends JournalSettings {
  readonly context: WriterContext<K, V>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });
const newline = 10;

/**
 * The pending writes in a store: the last accepted write of each key. A record is a line of JSON and the value's bytes.
 *
 * One process has the journal, by a lease; the names of its records carry the lease's token. The next process copies the
 * records under its own token, then seals: a record with an older token that arrives later, from a process that stood
 * still, is never read. A write is accepted only if the lease was held for sure after it was recorded, so the next
 * process finds every accepted write.
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

  /** Also correct just after a stall. */
  get isHeld(): boolean {
    try {
      this.#lease?.assertHeld();
      return this.#lease !== undefined;
    } catch {
      return false;
    }
  }

  /**
   * Takes the journal, waiting for another process to give it up; returns the writes that an earlier one left. Calls
   * `lost` when this process loses it, unless it was closed. @throws JournalError, or the reason of `ending`
   */
  async open(lost: (reason: unknown) => void, ending: AbortSignal): Promise<readonly AcceptedWrite<K, V>[]> {
    const lease = await this.#acquire(ending);
    try {
      const pending = await this.#takeOver(lease);
      if (ending.aborted) throw ending.reason;
      this.#lease = lease;
      lease.signal.addEventListener('abort', () => {
        if (this.#lease === lease) lost(new JournalError(this.#name, 'lost', lease.signal.reason));
      });
      lease.assertHeld();
      return pending;
    } catch (error) {
      this.#lease = undefined;
      await lease.release().catch(() => {});
      if (ending.aborted) throw ending.reason;
      throw new JournalError(this.#name, 'could not read', error);
    }
  }

  /** @throws JournalError */
  async put({ id, key, value, sequence }: AcceptedWrite<K, V>): Promise<void> {
    const lease = this.#lease!;
    try {
      const header: Header = {
        ...keyAsJson(key),
        sequence,
        ...(value === undefined ? { deletes: true } : {}),
      };
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

  /** Call it when the source has them. A record that cannot be deleted is written once more after the next start. */
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

  /** Gives it up to another process. */
  async close(): Promise<void> {
    const lease = this.#lease;
    this.#lease = undefined;
    await lease?.release().catch(() => {}); // then it is free when its time is over
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
    const { name, clock = backgroundClock } = context;
    const terms = { ttlMs: leaseMs, clock };
    const taken = new JournalTakenError(name, prefix, waitMs);
    const wait = async (signal: AbortSignal) => {
      const lease = await Lease.acquire(store, prefix, { ...terms, signal });
      if (!signal.aborted) return lease;
      await lease.release().catch(() => {});
      throw signal.reason;
    };
    try {
      const lease =
        waitMs === 0
          ? await Lease.tryAcquire(store, prefix, terms)
          : await withDeadline({ timeoutMs: waitMs, signal: ending, clock, late: () => taken }, wait);
      if (lease !== undefined) return lease;
    } catch (error) {
      if (ending.aborted) throw ending.reason;
      if (error === taken) throw taken;
      throw new JournalError(name, 'could not open', error);
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
    const header = JSON.parse(decoder.decode(record.subarray(0, end))) as Header;
    const { sequence, deletes } = header;
    const key = keyOf(header) as K;
    const bytes = record.subarray(end + 1);
    return {
      ...{ id, key, sequence },
      value: deletes ? undefined : await this.#parts.context.serializer.decode(bytes),
    };
  }
}

function keyAsJson(key: unknown): Pick<Header, 'key' | 'type'> {
  if (typeof key === 'bigint') return { key: String(key), type: 'bigint' };
  if (typeof key === 'number' && !Number.isFinite(key)) return { key: String(key), type: 'number' };
  return { key };
}

function keyOf({ key, type }: Header): unknown {
  if (type === undefined) return key;
  return type === 'bigint' ? BigInt(key as string) : Number(key);
}
