import type { Direct, Place } from './place.ts';
import { nowMs } from './roles.ts';

interface Accepted {
  readonly at: string;
  readonly begunAt: number;
  readonly endedAt: number;
}

/** Writes one row past the router, at the source and at the target, all the time: the fences are all that is in its way. */
export class Probe {
  readonly #customer: string;
  readonly #from: string;
  readonly #before: number;
  readonly #accepted: Accepted[] = [];
  readonly #loops: Promise<void>[];
  #isOver = false;

  private constructor(place: Place, customer: string, from: string, to: string, before: number) {
    this.#before = before;
    this.#customer = customer;
    this.#from = from;
    this.#loops = [from, to].map(name => this.#write(name, place.direct(name, customer)));
  }

  static async start(place: Place, customer: string, from: string, to: string): Promise<Probe> {
    const before = (await place.directs(from, customer)) || (await place.directs(to, customer));
    return new Probe(place, customer, from, to, before);
  }

  /** How often the old place let it in after the new one had, and how many were let in. */
  async end(): Promise<{
    readonly customer: string;
    readonly before: number;
    readonly accepted: number;
    readonly twoPlaces: number;
  }> {
    this.#isOver = true;
    await Promise.all(this.#loops);
    const firstAtTarget = this.#accepted
      .filter(({ at }) => at !== this.#from)
      .reduce((first, { endedAt }) => Math.min(first, endedAt), Infinity);
    const late = this.#accepted.filter(({ at, begunAt }) => at === this.#from && begunAt > firstAtTarget);
    return {
      customer: this.#customer,
      before: this.#before,
      accepted: this.#accepted.length,
      twoPlaces: late.length,
    };
  }

  async #write(name: string, direct: Direct): Promise<void> {
    while (!this.#isOver) {
      const begunAt = nowMs();
      if (await direct.write()) this.#accepted.push({ at: name, begunAt, endedAt: nowMs() });
      await new Promise(resolve => setTimeout(resolve, 10));
    }
    await direct.end();
  }
}
