import { integerOption, numberOption, type Random } from '@ashlar/core';
import type { Load } from '../policy.ts';
import { LoadGauge } from '../probes/load-gauge.ts';
import { type Behavior, failing, type SimulatedResponse } from './behavior.ts';
import type { VirtualClock } from './virtual-clock.ts';

export interface ReplicaOptions {
  readonly id: string;
  readonly weight?: number;
  readonly zone?: string;
  readonly behavior: Behavior;
  /** How many requests it works on at a time; without limit if absent. */
  readonly slots?: number;
  /** How many may wait for a slot, first come, first served; more are answered with 503 at once. No limit if absent. */
  readonly queue?: number;
}

/** A server that only takes time. It does not notice when a client gives up. */
export class SimulatedReplica {
  readonly id: string;
  /** May be changed at any time: for the requests that come from then on. */
  behavior: Behavior;
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #slots: number;
  readonly #queue: number;
  readonly #waiting: (() => void)[] = [];
  readonly #gauge: LoadGauge;
  #working = 0;

  /** @throws InvalidOptionError */
  constructor({ id, behavior, slots, queue }: ReplicaOptions, clock: VirtualClock, random: Random) {
    this.id = id;
    this.behavior = behavior;
    this.#slots = slots === undefined ? Infinity : integerOption('slots', slots, { min: 1 });
    this.#queue = queue === undefined ? Infinity : numberOption('queue', queue, { min: 0 });
    this.#clock = clock;
    this.#gauge = new LoadGauge(clock);
    this.#random = random;
  }

  /** How many requests it has and how long such take; after a millisecond, and never while it is silent. */
  async probe(signal?: AbortSignal): Promise<Load> {
    const { afterMs, response } = this.behavior(this.#random);
    await this.#clock.sleep(afterMs === Infinity ? Infinity : 1, signal);
    if (response instanceof Error) throw response;
    return this.#gauge.read();
  }

  /** Settles when it answers. */
  async handle(): Promise<SimulatedResponse> {
    const end = this.#gauge.begin();
    try {
      return await this.#answer();
    } finally {
      end();
    }
  }

  #answer(): Promise<SimulatedResponse> {
    const { works, afterMs, response } = this.#react();
    return new Promise((resolve, reject) => {
      const settle = () => (response instanceof Error ? reject(response) : resolve(response));
      if (!works) this.#clock.after(afterMs, settle);
      else this.#work(afterMs, settle);
    });
  }

  #react() {
    const reaction = this.behavior(this.#random);
    const isFull = this.#working >= this.#slots && this.#waiting.length >= this.#queue;
    return reaction.works && isFull ? overflow(this.#random) : reaction;
  }

  #work(ms: number, settle: () => void): void {
    if (this.#working >= this.#slots) {
      this.#waiting.push(() => this.#work(ms, settle));
      return;
    }
    this.#working++;
    this.#clock.after(ms, () => {
      this.#working--;
      settle();
      this.#waiting.shift()?.();
    });
  }
}

const overflow = failing({ afterMs: 0 });
