import type { Clock, Random } from '@ashlar/core';
import {
  getJson,
  InvalidKeyError,
  Lease,
  setJson,
  ValueTooLargeError,
  VersionConflictError,
} from '@ashlar/store';
import type { Running } from '../consuming/context.ts';
import { settle } from '../consuming/settle.ts';
import { DeliveryLostError, IdempotencyConflictError, OnceUnavailableError } from '../errors.ts';
import type { Once, OnceResult } from './once.ts';
import type { StoreSettings } from './options.ts';
import { fingerprintOf, recordName } from './record.ts';

/** What a store keeps of a message that was handled. */
interface Record {
  /** Of what it says, so that another message under the same key is not taken for this one. */
  readonly fingerprint: string;
  /** What its handler returned, with `results`. */
  readonly result?: unknown;
}

interface Parts {
  readonly settings: StoreSettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly keepsResults: boolean;
}

/**
 * A lease while the message is handled and a record once it was, both in a `Store`. A lease alone makes duplicates rare:
 * after a crash between effect and record the handler runs again, with the same `idempotencyKey` and a greater token.
 */
export class StoreOnce implements Once {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async run(running: Running, payload: unknown, call: () => Promise<unknown>): Promise<OnceResult> {
    const { store, leaseMs } = this.#parts.settings;
    const name = recordName(running, payload, this.#parts.settings.key);
    const fingerprint = fingerprintOf(running.delivery);
    running.idempotencyKey = name;
    const lease = await asked(Lease.tryAcquire(store, name, { ttlMs: leaseMs }));
    if (lease === undefined) return { kind: 'busy', retryMs: leaseMs / 10 };
    try {
      // Only under the lease: whoever finished before has released it after its record
      const found = (await asked(getJson<Record>(store, name)))?.value;
      if (found !== undefined) {
        if (found.fingerprint !== fingerprint)
          throw new IdempotencyConflictError(running.topic, running.id, name);
        return { kind: 'done', result: found.result };
      }
      const result = await this.#work(running, lease, call);
      const kept = this.#parts.keepsResults && { result };
      await this.#record(running, lease, name, { fingerprint, ...kept });
      return { kind: 'done', result };
    } finally {
      // At once, so that a failure does not hold up the next attempt; a store that does not answer frees it in time
      await lease[Symbol.asyncDispose]().catch(() => {});
    }
  }

  async #work(running: Running, lease: Lease, call: () => Promise<unknown>): Promise<unknown> {
    running.fence = lease;
    const lost = () => running.abort(new DeliveryLostError(running.id));
    lease.signal.addEventListener('abort', lost, { once: true });
    try {
      return await running.untilAbort(call());
    } finally {
      lease.signal.removeEventListener('abort', lost);
    }
  }

  /** The effect has happened: without its record it would happen again, so the store is asked for as long as the lease holds. */
  async #record(running: Running, lease: Lease, name: string, record: Record): Promise<void> {
    const { clock, random, settings } = this.#parts;
    const { store, retentionMs, leaseMs } = settings;
    const write = async () => {
      lease.assertHeld();
      await setJson(store, name, record, { ttlMs: retentionMs, ifVersion: 'absent' }).catch(error => {
        // An earlier try was executed and its answer lost, or another has handled it meanwhile
        if (!(error instanceof VersionConflictError)) throw error;
      });
    };
    try {
      await settle(write, { clock, random, untilMs: clock.now() + leaseMs });
    } catch (error) {
      // The record is what counts
      if (error instanceof ValueTooLargeError && 'result' in record) {
        return this.#record(running, lease, name, { fingerprint: record.fingerprint });
      }
      throw new OnceUnavailableError(running.id, { cause: error });
    }
  }
}

async function asked<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    // Of a key that no store takes, it is known that nothing was handled under it
    if (error instanceof InvalidKeyError) throw error;
    throw new OnceUnavailableError(undefined, { cause: error });
  }
}
