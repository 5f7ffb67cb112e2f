import type { DeadLetter } from '../../dead-letters.ts';
import type { AckOptions, Job, NackOptions } from '../../driver.ts';
import type { Journal, Place } from '../journal.ts';
import type { Contents } from './contents.ts';
import type { Held } from './leases.ts';
import type { Stored } from './stored.ts';

/** What becomes of messages that leave the hands of a consumer, and of those that are gone for good; the journal is told. */
export class Settling {
  readonly #place: Place;
  readonly #contents: Contents;
  readonly #journal: Journal | undefined;
  readonly #epochMs: number;

  constructor(place: Place, contents: Contents, journal: Journal | undefined, epochMs: number) {
    this.#place = place;
    this.#contents = contents;
    this.#journal = journal;
    this.#epochMs = epochMs;
  }

  ack(held: Held, { result }: AckOptions, now: number): void {
    const { item } = held;
    this.release(held, now, false);
    const { id, deliveries, failures, progress } = item;
    const job = result && ({ state: 'done', deliveries, failures, progress, result } as const);
    this.forget(item, job);
    if (job !== undefined) this.#contents.results.add(id, job);
  }

  nack(held: Held, { requeueAfterMs = 0, dead, charge = true }: NackOptions, now: number): void {
    const { item } = held;
    const pauses = dead === undefined && requeueAfterMs > 0;
    this.release(held, now, pauses);
    if (charge) item.failures++;
    else if (dead === undefined) item.deliveries--;
    if (dead !== undefined) {
      this.#bury(item, dead, now);
      return;
    }
    const { backlog } = this.#contents;
    const at = now + requeueAfterMs;
    if (pauses) backlog.holdBack({ item, at, isRetry: true });
    else backlog.add(item, now, !charge || backlog.isOrdered);
    this.#journal?.returned(this.#place, item, pauses ? this.#epochMs + at : undefined, pauses);
  }

  /** The lease has ended: the message is for another consumer, and its delivery counts. */
  lose(held: Held, now: number): void {
    this.release(held, now, false);
    this.#contents.backlog.add(held.item, now, true);
    this.#journal?.returned(this.#place, held.item, undefined, false);
  }

  release(held: Held, now: number, pausing: boolean): void {
    const { backlog, leases } = this.#contents;
    leases.release(held);
    backlog.settled(held.item.key, now, pausing);
  }

  /** It is settled for good. */
  forget(item: Stored, result?: Job): void {
    if (item.state === 'gone') return;
    this.#contents.remove(item);
    this.#journal?.settled(this.#place, item, result);
  }

  /** The same of one that waits or is held back. */
  takeAway(item: Stored, now: number): void {
    const { state } = item;
    this.forget(item);
    this.#contents.backlog.lost(item, state, now);
  }

  #bury(item: Stored, reason: string, now: number): void {
    const { id, body, headers, key, deliveries, failures } = item;
    const { topic, name: group } = this.#place;
    const diedAtMs = Math.round(this.#epochMs + now);
    const letter: DeadLetter = {
      id,
      topic,
      group,
      body,
      headers,
      key,
      reason,
      deliveries,
      failures,
      diedAtMs,
    };
    this.#contents.remove(item);
    this.#contents.dead.add(letter);
    this.#journal?.buried(this.#place, letter);
  }
}
