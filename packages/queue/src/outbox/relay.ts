import { Backoff, type Clock, type Random, withDeadline } from '@ashlar/core';
import type { Driver } from '../driver.ts';
import { QueueTimeoutError } from '../errors.ts';
import { forgotten, stateOf } from '../transactions/failures.ts';
import { type PoolLike, runOne, type Session, transact } from '../transactions/pool.ts';
import type { TableName } from '../transactions/tables/table-name.ts';
import { ExpectedRows, type WrittenRow } from './expected-rows.ts';
import { type FoundFloors, LaneFloors } from './lane-floors.ts';
import { PausedTopics } from './paused-topics.ts';
import {
  checkAllowed,
  keptPlans,
  type Lane,
  lanesAtOnce,
  RelayStatements,
  rowsOfLane,
} from './statements.ts';
import { type OutboxRow, type RawRow, readRows } from './table.ts';
import { array, Topics } from './topics.ts';
import { errorOf, isPoison, publishInWaves, type Relayed, reasonOf } from './waves.ts';

export interface RelaySettings {
  readonly prepare: boolean;
  readonly pollMs: number;
  readonly timeoutMs: number;
  readonly attempts: number;
  readonly backoff: { readonly firstMs: number; readonly maxMs: number };
}

interface Parts {
  readonly pool: PoolLike;
  readonly table: TableName;
  readonly driver: Driver;
  readonly settings: RelaySettings;
  readonly clock: Clock;
  readonly random: Random;
  /** Makes the table where it is missing. */
  ready(): Promise<void>;
}

/** Between tries while the database is away. */
const again = { firstMs: 100, maxMs: 1_000 };
/** The first pause after a wake: its transaction may not be committed yet. */
const soonMs = 4;

/** What a pass found to do: `paused` when there may be rows of topics that wait. */
type Found = 'rows' | 'paused' | 'nothing';

/**
 * Moves rows of the outbox to the driver. Each pass is one transaction: it locks lanes, reads their rows, publishes them,
 * and deletes those that are confirmed. A relay that dies lets go of its locks, and another publishes the rows again, with
 * the same ids.
 */
export class Relay {
  readonly counts = { relayed: 0, expired: 0, failed: 0, quarantined: 0 };
  readonly #parts: Parts;
  readonly #stop = new AbortController();
  #wake = new AbortController();
  #isDraining = false;
  #databaseError: unknown;
  #ended: Promise<void> | undefined;

  readonly #statements: RelayStatements;
  #prepares: boolean;
  readonly #paused: PausedTopics;
  readonly #topics = new Topics();
  readonly #floors = new LaneFloors();
  readonly #expected: ExpectedRows;
  /** In any lane: some were left, or a look for all has found others than those that are waited for. */
  #mayBeMore = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#statements = new RelayStatements(parts.table, parts.settings.backoff.maxMs);
    this.#prepares = parts.settings.prepare;
    this.#expected = new ExpectedRows(parts.settings.pollMs);
    this.#paused = new PausedTopics(parts.clock, parts.random);
  }

  /** Why nothing is relayed; undefined when the last message that there was is confirmed or put aside. */
  get error(): unknown {
    return this.#databaseError ?? this.#paused.error;
  }

  /** No row has a lower id, as far as this relay knows. */
  get lowestId(): bigint {
    return this.#floors.lowest;
  }

  start(): void {
    this.#ended ??= this.#run();
  }

  /**
   * Looks for rows at once, and often for a while: a transaction that has published will commit soon.
   *
   * @param topic where it has
   * @param written what it has; without that, in any lane
   */
  wake(topic?: string, written?: readonly WrittenRow[]): void {
    if (topic !== undefined) this.#topics.seen(topic);
    this.#expected.expect(written, this.#parts.clock.now());
    // With a reason of our own, as making the usual one costs more than the rest of a publish
    if (!this.#wake.signal.aborted) this.#wake.abort('woken');
  }

  /** Resolves when no rows are left that can be published, or when the time is over. */
  async close(timeoutMs: number): Promise<void> {
    if (this.#ended === undefined) return;
    this.#isDraining = true;
    this.wake();
    const done = new AbortController();
    const late = this.#parts.clock.sleep(timeoutMs, done.signal).then(
      () => this.#stop.abort(),
      () => {},
    );
    await this.#ended;
    done.abort();
    await late;
  }

  get #isAwaiting(): boolean {
    return this.#mayBeMore || this.#expected.isAwaiting(this.#parts.clock.now());
  }

  async #run(): Promise<void> {
    const { random, settings } = this.#parts;
    const backoff = new Backoff(again, random);
    let pauseMs = soonMs;
    while (!this.#stop.signal.aborted) {
      const woken = this.#wake.signal;
      const isLast = this.#isDraining; // A pass that began earlier has not seen all that is committed now
      try {
        const found = await this.#pass(isLast);
        if (isLast && found === 'nothing') return;
        backoff.reset();
        if (found === 'rows') pauseMs = soonMs;
        else {
          const restMs = this.#isAwaiting ? pauseMs : settings.pollMs;
          await this.#sleep(Math.min(restMs, this.#paused.leftMs), woken);
          pauseMs = Math.min(settings.pollMs, pauseMs * 2);
        }
      } catch (error) {
        if (this.#prepares && forgotten.test(stateOf(error) ?? '')) {
          // What stands between, or other code on the pool, does not keep what is prepared, and nothing is published yet
          this.#prepares = false;
          continue;
        }
        this.#databaseError = error;
        // Another server may be the primary now, which has given out fewer ids; not when the same is slow
        if (!(error instanceof QueueTimeoutError)) this.#floors.forget();
        if (isLast) return;
        await this.#sleep(backoff.nextMs());
      }
      if (woken.aborted) {
        this.#wake = new AbortController();
        pauseMs = soonMs;
      }
    }
  }

  async #sleep(ms: number, woken?: AbortSignal): Promise<void> {
    const signals = woken === undefined ? [this.#stop.signal] : [woken, this.#stop.signal];
    await this.#parts.clock.sleep(ms, AbortSignal.any(signals)).catch(() => {});
  }

  /** @param around whether to look for rows of topics that are not known at any rate */
  async #pass(around: boolean): Promise<Found> {
    const { pool, settings, ready } = this.#parts;
    const { timeoutMs } = settings;
    await ready();
    const found = await this.#moveFloors();
    const looksAtAll = around || this.#mayBeMore || this.error !== undefined;
    const where = looksAtAll ? undefined : this.#expected.lanes(this.#parts.clock.now(), found);
    if (where?.size === 0) return 'nothing';
    this.#mayBeMore = true; // Unless it is known better
    // A relay that stands still, process or machine, is dropped by the server after twice the time that publishing may take
    const { claim, read, names } = this.#statements;
    const prepared = this.#prepares ? names : undefined;
    const more = prepared && keptPlans;
    return transact(pool, { timeoutMs, idleMs: 2 * timeoutMs + 5_000, more }, async session => {
      const paused = this.#paused.names;
      const isAround = around || found !== undefined || this.#topics.isFull;
      const floors = where === undefined ? this.#floors.current : this.#floors.of(where);
      const given = [floors, ...this.#topics.parameters(paused, isAround)];
      const lanes = await session.query<Lane>(claim, given, prepared?.claim);
      checkAllowed(session, lanes);
      this.#databaseError = undefined;
      if (lanes.length === 0 && paused.length === 0) this.#paused.clear();
      const held = lanes.filter(lane => lane.held === 'true').map(({ lane }) => lane);
      this.#mayBeMore = (where === undefined || found !== undefined) && lanes.length > 0;
      // As of the beginning: a pause may be over meanwhile, and its rows were not looked at
      if (held.length === 0) return paused.length > 0 ? 'paused' : 'nothing';
      const limit = Math.ceil(rowsOfLane / Math.max(1, this.#topics.known.length - paused.length));
      const readAt = this.#parts.clock.now();
      const rows = await session.query<RawRow>(read, [...given, array(held), String(limit)], prepared?.read);
      for (const { topic, id } of rows) {
        this.#topics.seen(topic);
        this.#floors.saw(id);
      }
      const unexpected = rows.filter(({ name }) => !this.#expected.read(name));
      const isAll = !around && held.length === lanes.length && lanes.length < lanesAtOnce;
      if (isAll && unexpected.length === 0) this.#mayBeMore = false;
      if (!(await this.#relay(session, rows, readAt))) this.#mayBeMore = true;
      return rows.length > 0 && this.#isAwaiting ? 'rows' : 'nothing';
    });
  }

  #moveFloors(): Promise<ReadonlySet<number> | undefined> {
    const { pool, settings } = this.#parts;
    return this.#floors.move(settings.pollMs, async (floors, marks, asks) => {
      const values = [floors, ...this.#topics.parameters(), String(marks), String(asks)];
      const [found] = (await runOne(pool, settings.timeoutMs, this.#statements.floors, values)) as [
        FoundFloors,
      ];
      return found;
    });
  }

  /** @returns whether none of them is left */
  async #relay(session: Session, raw: readonly RawRow[], readAt: number): Promise<boolean> {
    const { rows, over } = readRows(raw);
    const finished: Pick<OutboxRow, 'place' | 'id'>[] = [...over];
    this.counts.expired += finished.length;
    const failed: Relayed[] = [];
    const unanswered = new Set(rows);
    const late = await this.#publish(rows, readAt, relayed => {
      unanswered.delete(relayed.row);
      if (!relayed.published.ok) return void failed.push(relayed);
      finished.push(relayed.row);
      this.counts.relayed++;
      this.#paused.succeeded(relayed.row.topic);
    });
    const topics = new Set([...unanswered].map(({ topic }) => topic));
    if (late !== undefined) for (const topic of topics) this.#paused.failed(topic, late);
    if (finished.length > 0) {
      const values = [array(finished.map(({ place }) => place)), array(finished.map(({ id }) => id))];
      await session.query(this.#statements.remove, values);
    }
    await this.#settleFailed(session, failed);
    return finished.length === raw.length;
  }

  /** @returns the error of a driver that did not answer in time */
  async #publish(
    rows: readonly OutboxRow[],
    readAt: number,
    settled: (relayed: Relayed) => void,
  ): Promise<Error | undefined> {
    const { driver, settings, clock } = this.#parts;
    const late = () => new QueueTimeoutError('publishing from the outbox', settings.timeoutMs);
    // The server keeps the locks for longer than that; later, others may have published these rows and later ones
    const isHeld = () => clock.now() < readAt + 2 * settings.timeoutMs;
    let isOpen = true;
    try {
      await withDeadline({ timeoutMs: settings.timeoutMs, clock, late }, signal =>
        publishInWaves(driver, rows, {
          isOpen: () => isHeld() && !signal.aborted,
          settled: relayed => isOpen && settled(relayed),
        }),
      );
      return isHeld() ? undefined : late();
    } catch (error) {
      return error as Error;
    } finally {
      isOpen = false;
    }
  }

  /** Charges messages that are at fault; for others their topic waits. */
  async #settleFailed(session: Session, failed: readonly Relayed[]): Promise<void> {
    this.counts.failed += failed.length;
    const poison = failed.filter(relayed => isPoison(errorOf(relayed)));
    const passing = failed.filter(relayed => !isPoison(errorOf(relayed)));
    const errors = new Map(passing.map(relayed => [relayed.row.topic, errorOf(relayed)]));
    for (const [topic, error] of errors) this.#paused.failed(topic, error);
    if (poison.length === 0) return;
    await session.query(this.#statements.postpone, [
      array(poison.map(({ row }) => row.place)),
      JSON.stringify(poison.map(relayed => this.#charged(relayed))),
    ]);
  }

  #charged(relayed: Relayed): unknown {
    const { backoff, attempts } = this.#parts.settings;
    const failures = relayed.row.failures + 1;
    const isDead = failures >= attempts;
    if (isDead) this.counts.quarantined++;
    const pauseMs = new Backoff(backoff, this.#parts.random, failures - 1).nextMs();
    return {
      id: relayed.row.id,
      charge: 1,
      reason: reasonOf(relayed),
      pause: Math.round(pauseMs),
      dead: isDead,
    };
  }
}
