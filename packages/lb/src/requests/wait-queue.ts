import type { Key } from '@ashlar/hash-ring';
import type { Endpoint } from '../endpoint.ts';
import type { EndpointSet, InFlightRequest } from '../endpoints/endpoint-set.ts';
import type { AcquireOptions } from '../request.ts';
import { type Entry, LinkedQueue } from '../util/linked-queue.ts';
import type { Timer, Timers } from '../util/timers.ts';
import type { Call } from './call.ts';
import type { NoEndpoint } from './no-endpoint.ts';

interface Waiter<E extends Endpoint> {
  readonly key: Key | undefined;
  readonly prefer: string | undefined;
  readonly resolve: (picked: InFlightRequest<E>) => void;
  readonly reject: (error: unknown) => void;
  timer: Timer | undefined;
}

export interface WaitSettings {
  readonly maxWaiting: number;
  readonly maxWaitMs: number;
}

/**
 * Requests that wait for an endpoint, because all are at their limit or discovery has not delivered any yet. Served first
 * come, first served, except that one for which the policy has no endpoint does not block those behind it.
 */
export class WaitQueue<E extends Endpoint> {
  readonly #endpoints: EndpointSet<E>;
  readonly #timers: Timers;
  readonly #settings: WaitSettings;
  readonly #noEndpoint: NoEndpoint<E>;
  readonly #queue = new LinkedQueue<Waiter<E>>();
  /** Until the next change that comes with time, such as the end of an ejection. */
  #dueTimer: Timer | undefined;
  #dueAt = Infinity;
  #capacity = 0;
  #serving = false;

  constructor(endpoints: EndpointSet<E>, timers: Timers, settings: WaitSettings, noEndpoint: NoEndpoint<E>) {
    this.#endpoints = endpoints;
    this.#timers = timers;
    this.#settings = settings;
    this.#noEndpoint = noEndpoint;
  }

  get length(): number {
    return this.#queue.length;
  }

  /** Rejects with NoEndpointError, or with the reason why the call was stopped. */
  wait(call: Call, { key, prefer }: AcquireOptions): Promise<InFlightRequest<E>> {
    return new Promise((resolve, reject) => {
      const reason = this.#noEndpoint.reason(none);
      if (!this.#noEndpoint.mayPass(reason) || this.#queue.length >= this.#settings.maxWaiting) {
        return reject(this.#noEndpoint.error(reason));
      }
      const waiter: Waiter<E> = { key, prefer, resolve, reject, timer: undefined };
      const entry = this.#queue.push(waiter);
      waiter.timer = this.#timers.start(this.#settings.maxWaitMs, () => this.#expire(entry));
      const stop = (reason: unknown) => this.#reject(entry, reason);
      call.onStop = stop;
      this.#listen();
    });
  }

  /** Serves the requests in front, at most `capacity` of them. */
  serve(capacity: number): void {
    if (this.#queue.length === 0) return;
    this.#capacity += capacity;
    if (this.#serving) return;
    this.#serving = true;
    for (let entry = this.#queue.first; entry !== undefined && this.#capacity > 0; ) {
      const behind = entry.next;
      if (!this.#offer(entry)) break;
      // Whoever gave up meanwhile has left the line
      if (this.#queue.has(entry)) entry = entry.next;
      else entry = behind !== undefined && this.#queue.has(behind) ? behind : this.#queue.first;
    }
    this.#serving = false;
    this.#capacity = 0;
    this.#listen();
  }

  /** Returns whether the requests behind may still get an endpoint. */
  #offer(entry: Entry<Waiter<E>>): boolean {
    try {
      const { key, prefer } = entry.item;
      const picked = this.#endpoints.pick(key, none, prefer);
      if (picked !== undefined) {
        this.#capacity--;
        if (!this.#remove(entry)) picked.done();
        else entry.item.resolve(picked);
        return true;
      }
    } catch (error) {
      this.#reject(entry, error);
      return true;
    }
    const reason = this.#noEndpoint.reason(none);
    if (this.#noEndpoint.mayPass(reason)) return this.#endpoints.members.hasCapacity;
    this.#reject(entry, this.#noEndpoint.error(reason));
    return true;
  }

  #expire(entry: Entry<Waiter<E>>): void {
    const reason = this.#noEndpoint.reason(none);
    this.#reject(entry, this.#noEndpoint.error(reason === 'full' ? 'waited' : reason));
  }

  #reject(entry: Entry<Waiter<E>>, error: unknown): void {
    if (this.#remove(entry)) entry.item.reject(error);
  }

  #remove(entry: Entry<Waiter<E>>): boolean {
    if (!this.#queue.remove(entry)) return false;
    entry.item.timer?.stop();
    if (this.#queue.length === 0) this.#listen();
    return true;
  }

  /** Listens for capacity and for changes that come with time, only while a request waits: others pay nothing. */
  #listen(): void {
    const isEmpty = this.#queue.length === 0;
    this.#endpoints.onCapacity = isEmpty ? undefined : this.#onCapacity;
    const dueAt = isEmpty ? Infinity : this.#endpoints.dueAt;
    if (dueAt === this.#dueAt) return;
    this.#dueTimer?.stop();
    this.#dueTimer = undefined;
    this.#dueAt = dueAt;
    if (dueAt === Infinity) return;
    const ms = Math.max(0, dueAt - this.#endpoints.now());
    this.#dueTimer = this.#timers.start(ms, () => {
      this.#dueAt = Infinity;
      try {
        this.#endpoints.refresh();
      } catch {
        // Thrown by the policy, which throws it again to each who waits
        this.serve(Infinity);
      }
      this.#listen();
    });
  }

  readonly #onCapacity = (capacity: number): void => this.serve(capacity);
}

const none: readonly string[] = [];
