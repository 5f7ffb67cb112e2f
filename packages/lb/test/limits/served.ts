import { seededRandom } from '@ashlar/core';
import type { Limiter } from '../../src/index.ts';

export interface ServerModel {
  /** Requests that it serves at a time; the others wait, first come, first served. */
  readonly workers: number;
  readonly serviceMs: (now: number) => number;
  /** More than this in all are refused at once. */
  readonly refusesAbove?: number;
}

interface Served {
  readonly meanLimit: number;
  readonly minLimit: number;
  readonly maxLimit: number;
  readonly ended: number;
  readonly dropped: number;
  readonly meanLatencyMs: number;
}

/** A server in virtual time whose clients always have as many requests in flight as the limiter and `demand` allow. */
export class ServedByModel {
  readonly #limiter: Limiter;
  readonly #server: ServerModel;
  readonly #demand: number;
  readonly #random = seededRandom(17);
  readonly #freeAt: number[];
  #under: { startedAt: number; endsAt: number; dropped: boolean }[] = [];
  #now = 0;

  constructor(limiter: Limiter, server: ServerModel, demand: number = Infinity) {
    this.#limiter = limiter;
    this.#server = server;
    this.#demand = demand;
    this.#freeAt = new Array<number>(server.workers).fill(0);
  }

  /** Goes on for so long; tells what there was in that time. */
  run(ms: number): Served {
    const until = this.#now + ms;
    const limits: number[] = [];
    let [ended, dropped, latency] = [0, 0, 0];
    while (this.#now < until) {
      while (this.#under.length < Math.min(this.#limiter.limit, this.#demand)) this.#start();
      const next = this.#under.shift()!;
      this.#now = next.endsAt;
      const latencyMs = next.endsAt - next.startedAt;
      const inFlight = this.#under.length + 1;
      this.#limiter.settled({ now: this.#now, latencyMs, inFlight, dropped: next.dropped });
      limits.push(this.#limiter.limit);
      ended++;
      latency += latencyMs;
      if (next.dropped) dropped++;
    }
    const meanLimit = limits.reduce((sum, limit) => sum + limit, 0) / limits.length;
    const [minLimit, maxLimit] = limits.reduce(
      ([min, max], limit) => [Math.min(min, limit), Math.max(max, limit)],
      [Infinity, 0],
    ) as [number, number];
    return { meanLimit, minLimit, maxLimit, ended, dropped, meanLatencyMs: latency / ended };
  }

  #start(): void {
    const now = this.#now;
    const refused = this.#under.length >= (this.#server.refusesAbove ?? Infinity);
    const entry = { startedAt: now, endsAt: now + 1, dropped: refused };
    if (!refused) {
      const worker = this.#freeAt.indexOf(Math.min(...this.#freeAt));
      const begins = Math.max(now, this.#freeAt[worker]!);
      entry.endsAt = begins + this.#server.serviceMs(now) * (0.8 + 0.4 * this.#random());
      this.#freeAt[worker] = entry.endsAt;
    }
    let at = this.#under.length;
    while (at > 0 && this.#under[at - 1]!.endsAt > entry.endsAt) at--;
    this.#under.splice(at, 0, entry);
  }
}
