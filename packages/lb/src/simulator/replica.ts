import {
  functionOf,
  integer,
  number,
  type Random,
  type RulesFor,
  readOptions,
  required,
  text,
} from '@ashlar/core';
import type { Load } from '../policy.ts';
import { LoadGauge } from '../probes/load-gauge.ts';
import { type Behavior, failing, type SimulatedResponse } from './behavior.ts';
import type { VirtualClock } from './virtual-clock.ts';

export interface ReplicaOptions {
  readonly id: string;
  readonly weight?: number;
  readonly zone?: string;
  readonly behavior: Behavior;
  /** How many requests it works on at a time. Default: no limit. */
  readonly slots?: number;
  /** How many may wait for a slot, first come, first served; more get a 503 at once. Default: no limit. */
  readonly queue?: number;
}

const rules = /* @__PURE__ */ (() =>
  ({
    id: required(text()),
    weight: number(undefined, { min: 0 }),
    zone: text(),
    behavior: required(
      functionOf<Behavior>('write `behavior: serving(constant(10))`'),
      'such as `serving(constant(10))`',
    ),
    slots: integer(undefined, { min: 1 }),
    queue: integer(undefined, { min: 0 }),
  }) satisfies RulesFor<ReplicaOptions>)();

/** A simulated server, which only takes time. It does not notice when a client cancels. */
export class SimulatedReplica {
  readonly id: string;
  /** May be changed at any time; applies to later requests. */
  behavior: Behavior;
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #slots: number;
  readonly #queue: number;
  readonly #waiting: (() => void)[] = [];
  readonly #gauge: LoadGauge;
  #working = 0;

  /** @throws InvalidOptionError */
  constructor(options: ReplicaOptions, clock: VirtualClock, random: Random) {
    const { id, behavior, slots = Infinity, queue = Infinity } = readOptions('a replica', options, rules);
    this.id = id;
    this.behavior = behavior;
    this.#slots = slots;
    this.#queue = queue;
    this.#clock = clock;
    this.#gauge = new LoadGauge(clock);
    this.#random = random;
  }

  /** Its load: answers after a millisecond, and never while it is silent. */
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

const overflow = /* @__PURE__ */ failing({ afterMs: 0 });
