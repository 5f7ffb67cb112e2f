import { withDeadline } from '@ashlar/core';
import { DiscoveryError } from '../../errors.ts';
import type { DnsSettings } from './options.ts';

/**
 * The queries of one round, within one deadline. A query that fails or is late yields its records of the round before,
 * so that one name server or record type that is out does not hide the others.
 */
export class Round {
  /** The records of each query, for the next round. */
  readonly records: Map<string, readonly unknown[]> = new Map();
  /** The error of the first query that failed. */
  error: unknown;
  readonly #settings: DnsSettings;
  readonly #before: ReadonlyMap<string, readonly unknown[]>;
  readonly #signal: AbortSignal;
  readonly #endsAt: number;

  constructor(settings: DnsSettings, before: ReadonlyMap<string, readonly unknown[]>, signal: AbortSignal) {
    this.#settings = settings;
    this.#before = before;
    this.#signal = signal;
    this.#endsAt = settings.clock.now() + settings.timeoutMs;
  }

  /** @param question identifies the query, as `A shop` */
  async ask<T>(question: string, query: () => Promise<readonly T[]>): Promise<readonly T[]> {
    const { clock } = this.#settings;
    const timeoutMs = Math.max(0, this.#endsAt - clock.now());
    let records: readonly T[];
    try {
      records = await withDeadline({ timeoutMs, signal: this.#signal, clock, late: this.#late }, () =>
        existing(query()),
      );
    } catch (error) {
      this.error ??= error;
      records = (this.#before.get(question) ?? []) as readonly T[];
    }
    this.records.set(question, records);
    return records;
  }

  readonly #late = (): Error => {
    const { name, timeoutMs } = this.#settings;
    return new DiscoveryError(`the DNS did not answer for ${name} within ${timeoutMs} ms`);
  };
}

/** No such records is an answer; every other failure is not. */
async function existing<T>(answer: Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await answer;
  } catch (error) {
    const { code } = error as { readonly code?: unknown };
    if (code === 'ENODATA' || code === 'ENOTFOUND') return [];
    throw error;
  }
}
