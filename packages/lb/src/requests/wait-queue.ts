import type { Key } from '@ashlar/hash-ring';
import type { Endpoint } from '../endpoint.ts';
import type { Roster } from '../endpoints/endpoint-set.ts';
import type { Flight } from '../endpoints/flight.ts';
import type { NoEndpointError } from '../errors.ts';
import { Line, type Place } from '../util/linked-queue.ts';
import type { Timer, Timers } from '../util/timers.ts';
import type { Call } from './call.ts';

interface Waiter<E extends Endpoint> {
  readonly key: Key | undefined;
  readonly grant: (flight: Flight<E>) => void;
  readonly refuse: (error: unknown) => void;
  timer: Timer | undefined;
}

export interface WaitingSettings {
  readonly maxWaiting: number;
  readonly maxWaitMs: number;
}

type Reason = NoEndpointError['reason'];

/** Why there is no endpoint. */
export interface Refusals {
  reason(): Reason;
  /** Whether to wait may help. */
  passes(reason: Reason): boolean;
  error(reason: Reason): NoEndpointError;
}

/**
 * Requests that wait for an endpoint, because all are at their limit or discovery has not given any yet. Served in the
 * order in which they came, save that one which the policy gives nothing does not hold up those behind it.
 */
export class WaitingLine<E extends Endpoint> {
  readonly #roster: Roster<E>;
  readonly #timers: Timers;
  readonly #settings: WaitingSettings;
  readonly #refusals: Refusals;
  readonly #line = new Line<Waiter<E>>();
  /** Until something changes by itself, as when an ejection ends. */
  #dueTimer: Timer | undefined;
  #dueAt = Infinity;
  #room = 0;
  #serving = false;

  constructor(roster: Roster<E>, timers: Timers, settings: WaitingSettings, refusals: Refusals) {
    this.#roster = roster;
    this.#timers = timers;
    this.#settings = settings;
    this.#refusals = refusals;
  }

  get length(): number {
    return this.#line.length;
  }

  /** Rejects with NoEndpointError, or with the reason for which the call was stopped. */
  join(call: Call, key: Key | undefined): Promise<Flight<E>> {
    return new Promise((grant, refuse) => {
      const reason = this.#refusals.reason();
      if (!this.#refusals.passes(reason) || this.#line.length >= this.#settings.maxWaiting) {
        return refuse(this.#refusals.error(reason));
      }
      const waiter: Waiter<E> = { key, grant, refuse, timer: undefined };
      const place = this.#line.join(waiter);
      waiter.timer = this.#timers.start(this.#settings.maxWaitMs, () => {
        this.#refuse(place, this.#refusals.error(waited(this.#refusals.reason())));
      });
      call.onStop = reason => this.#refuse(place, reason);
      this.#watchTime();
    });
  }

  /** There is room for so many more: those in front are served. */
  serve(room: number): void {
    this.#room += room;
    if (this.#serving) return;
    this.#serving = true;
    for (let place = this.#line.first; place !== undefined && this.#room > 0; place = place.next) {
      if (!this.#offer(place)) break;
    }
    this.#serving = false;
    this.#room = 0;
    this.#watchTime();
  }

  /** Returns whether those behind may have more luck. */
  #offer(place: Place<Waiter<E>>): boolean {
    try {
      const flight = this.#roster.choose(place.item.key, nobody);
      if (flight !== undefined) {
        this.#room--;
        if (!this.#leave(place)) flight.done();
        else place.item.grant(flight);
        return true;
      }
    } catch (error) {
      this.#refuse(place, error);
      return true;
    }
    const reason = this.#refusals.reason();
    if (this.#refusals.passes(reason)) return this.#roster.members.hasRoom;
    this.#refuse(place, this.#refusals.error(reason));
    return true;
  }

  #refuse(place: Place<Waiter<E>>, error: unknown): void {
    if (this.#leave(place)) place.item.refuse(error);
  }

  #leave(place: Place<Waiter<E>>): boolean {
    if (!this.#line.leave(place)) return false;
    place.item.timer?.stop();
    if (this.#line.length === 0) this.#watchTime();
    return true;
  }

  #watchTime(): void {
    const dueAt = this.#line.length === 0 ? Infinity : this.#roster.dueAt;
    if (dueAt === this.#dueAt) return;
    this.#dueTimer?.stop();
    this.#dueTimer = undefined;
    this.#dueAt = dueAt;
    if (dueAt === Infinity) return;
    const ms = Math.max(0, dueAt - this.#roster.now());
    this.#dueTimer = this.#timers.start(ms, () => {
      this.#dueAt = Infinity;
      this.#roster.refresh();
      this.#watchTime();
    });
  }
}

const nobody: readonly string[] = [];

function waited(reason: Reason): Reason {
  return reason === 'full' ? 'waited' : reason;
}
