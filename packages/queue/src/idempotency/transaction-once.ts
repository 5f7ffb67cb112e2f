import type { Clock } from '@ashlar/core';
import type { Running } from '../consuming/context.ts';
import { IdempotencyConflictError, OnceUnavailableError } from '../errors.ts';
import { lend, type PoolLike, transact } from '../transactions/pool.ts';
import { existence } from '../transactions/tables/table-name.ts';
import { checkShapes, shapeQuery } from '../transactions/tables/table-shape.ts';
import { isDataFault } from '../transactions/texts.ts';
import { type SqlTransaction, transactionOf } from '../transactions/transaction.ts';
import {
  type Claimed,
  claim,
  creation,
  expectedTable,
  finish,
  type Swept,
  sweep,
  sweepSize,
} from './inbox-table.ts';
import type { Once, OnceResult } from './once.ts';
import type { TransactionSettings } from './options.ts';
import { fingerprintOf, recordName } from './record.ts';

interface Parts {
  readonly settings: TransactionSettings;
  readonly clock: Clock;
  readonly keepsResults: boolean;
}

/** Milliseconds until a message is offered again that another transaction handles. */
const busyMs = 500;
/** Milliseconds for one of our statements. */
const timeoutMs = 10_000;
/** Milliseconds between looks for records that are too old, after one that has left none. */
const sweepMs = 60_000;
/** Before any record. */
const beginning = '-infinity';

/**
 * Record and effect in one transaction: either both happen or none. The record is written first and the handler called
 * then, so a repetition that comes meanwhile finds the message taken, and one that comes later finds the record.
 */
export class TransactionOnce implements Once {
  readonly #parts: Parts;
  #made: Promise<void> | undefined;
  #sweptAt = Number.NEGATIVE_INFINITY;
  /** Up to when the last sweeps have deleted, since one that has left none. */
  #sweptUntil = beginning;
  #isSweeping = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  run(running: Running, payload: unknown, call: () => Promise<unknown>): Promise<OnceResult> {
    // An aborted handler still has the transaction: the transaction ends when the handler does, and is rolled back
    return running.untilAbort(this.#run(running, payload, call));
  }

  async #run(running: Running, payload: unknown, call: () => Promise<unknown>): Promise<OnceResult> {
    const name = recordName(running, payload, this.#parts.settings.key);
    if (name.includes('\0'))
      throw new TypeError('`idempotency.key` must return a string without zero characters');
    running.idempotencyKey = name;
    this.#made ??= this.#make();
    await this.#made;
    let ended: { readonly result: OnceResult } | undefined;
    let failed: { readonly error: unknown } | undefined;
    let hasBegun = false;
    try {
      await this.#begin(async (tx, sql) => {
        const found = await this.#claim(running, name, sql);
        if (found !== undefined) {
          ended = { result: found };
          return;
        }
        running.tx = tx;
        hasBegun = true;
        try {
          const result = await call();
          if (running.abortReason !== undefined) throw running.abortReason;
          await this.#finish(sql, name, result);
          ended = { result: { kind: 'done', result } };
        } catch (error) {
          failed = { error };
          throw error;
        }
      });
    } catch (error) {
      if (failed !== undefined) throw failed.error;
      if (error instanceof IdempotencyConflictError) throw error;
      // A key that the server does not take is the message's fault, and all else before the handler nobody's
      if (hasBegun ? isOwnFault(error) : isDataFault(error)) throw error;
      // Its table may be gone
      if (!hasBegun) this.#made = undefined;
      // It may have been committed, and then its record is found the next time
      throw new OnceUnavailableError(undefined, { cause: error });
    }
    // Without a rejection of its own, `begin` has not committed what failed, or has swallowed that
    if (failed !== undefined) throw failed.error;
    if (ended === undefined) throw new TypeError('`idempotency.begin` has not called what it was given');
    void this.#sweep();
    return ended.result;
  }

  /** What is known of a message that is not to be handled now. */
  async #claim(running: Running, name: string, sql: SqlTransaction): Promise<OnceResult | undefined> {
    const fingerprint = fingerprintOf(running.delivery);
    const values = [name, fingerprint];
    const ask = async () =>
      (await sql.query(claim(this.#parts.settings.table), values)).rows[0] as unknown as Claimed;
    let claimed = await ask();
    if (claimed.held !== 'true') return { kind: 'busy', retryMs: busyMs };
    if (claimed.written === '1') return undefined;
    // Committed after this statement's snapshot and before its lock
    if (claimed.fingerprint === null) claimed = await ask();
    if (claimed.written === '1') return undefined;
    if (claimed.fingerprint === null) return { kind: 'busy', retryMs: busyMs };
    if (claimed.fingerprint !== fingerprint)
      throw new IdempotencyConflictError(running.topic, running.id, name);
    return { kind: 'done', result: claimed.result === null ? undefined : JSON.parse(claimed.result) };
  }

  /** Also a probe: a handler that has caught the error of a statement would commit nothing, without an error. */
  async #finish(sql: SqlTransaction, name: string, result: unknown): Promise<void> {
    const kept = this.#parts.keepsResults && result !== undefined ? JSON.stringify(result) : '';
    await sql.query(finish(this.#parts.settings.table), [name, kept ?? '']);
  }

  async #begin(work: (tx: unknown, sql: SqlTransaction) => Promise<void>): Promise<void> {
    const { pool, begin, idleMs } = this.#parts.settings;
    if (begin !== undefined) {
      await begin(async tx => work(tx, await transactionOf(tx, timeoutMs, 'idempotency.begin')));
      return;
    }
    await transact(pool as PoolLike, { timeoutMs, idleMs, isolation: 'default' }, async session => {
      const lent = lend(session.client);
      try {
        await work(lent.client, {
          query: async (text, values) => ({ rows: await session.query(text, values) }),
        });
      } finally {
        lent.end();
      }
    });
  }

  #make(): Promise<void> {
    const { table } = this.#parts.settings;
    const made = this.#begin(async (_, sql) => {
      const { rows } = await sql.query(existence(table), []);
      if (rows[0]?.['there'] !== 'true')
        for (const statement of creation(table)) await sql.query(statement, []);
      const expected = [expectedTable(table)];
      const [row] = (await sql.query(shapeQuery(expected), [])).rows;
      checkShapes(expected, row!['shapes']!);
    });
    return made.catch(error => {
      this.#made = undefined;
      throw new OnceUnavailableError(undefined, { cause: error });
    });
  }

  /** One at a time, and as long as there may be more with each message: they are deleted faster than they come to be. */
  async #sweep(): Promise<void> {
    const { clock, settings } = this.#parts;
    if (this.#isSweeping || clock.now() - this.#sweptAt < sweepMs) return;
    this.#isSweeping = true;
    let swept: Swept | undefined;
    await this.#begin(async (_, sql) => {
      const values = [String(settings.retentionMs), this.#sweptUntil];
      [swept] = (await sql.query(sweep(settings.table), values)).rows as unknown as [Swept];
    }).catch(() => {
      swept = undefined;
    });
    const isOver = Number(swept?.deleted ?? 0) < sweepSize;
    if (isOver) this.#sweptAt = clock.now();
    // Those that others held meanwhile, and those of clocks that were set back, are found then
    this.#sweptUntil = isOver ? beginning : (swept?.until ?? beginning);
    this.#isSweeping = false;
  }
}

/** The session has ended meanwhile, or it is not known what became of the commit. */
const uncertain = new Set(['25P03', '40003']);

/** Whether the server refused to commit for what the handler did, such as a deferred constraint, and is there. */
function isOwnFault(error: unknown): boolean {
  const { code, cause } = (error ?? {}) as { readonly code?: unknown; readonly cause?: unknown };
  const state = code ?? (cause as { readonly code?: unknown } | null | undefined)?.code;
  return (
    typeof state === 'string' && /^(2[0-7]|4[0-9]|54|P0)[0-9A-Z]{3}$/.test(state) && !uncertain.has(state)
  );
}
