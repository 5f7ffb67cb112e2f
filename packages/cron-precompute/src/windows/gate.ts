import {
  type Checked,
  durationMs,
  functionOf,
  InvalidOptionError,
  number,
  orFalse,
  type Rule,
  type RulesFor,
  readOptions,
  record,
  required,
} from '@ashlar/core';
import { type LoadSignal, p99Signal, pressureSignal, utilizationSignal } from './load-signals.ts';

/** How much of its time work may use while users are served. `gate` makes one; one of your own has `share`. */
export interface Gate {
  /** From 0, none, to 1, all of it. Called often, with a monotonic time in milliseconds. */
  share(nowMs: number): number;
}

export interface PressureLimits {
  /** The share of time in which something waited for a processor, 0 to 1. Default: 0.2. `false`: it does not count. */
  readonly cpu?: number | false;
  /** The same for disks. Default: 0.2. */
  readonly io?: number | false;
}

export interface GateOptions {
  /** The utilization of this process's event loop that users leave room for, 0 to 1. Default: 0.7. `false`: it does not count. */
  readonly eventLoop?: number | false;
  /** What the machine's processes wait for, by `/proc/pressure`; where there is none, it does not count. `false`: nowhere. */
  readonly pressure?: PressureLimits | false;
  /** The application's own latency. Default: it does not count. */
  readonly p99?: {
    /** The 99th percentile of the last seconds, in milliseconds; `undefined` while nobody is served. */
    readonly read: () => number | undefined;
    readonly maxMs: number;
  };
  /** How often the load is read, in milliseconds, while work goes on. Default: 200. */
  readonly everyMs?: number;
}

export interface GateSnapshot {
  readonly share: number;
  /** The worst of what was read last, as a part of its limit: 1 is at the limit. */
  readonly load: number;
  /** Which one that was. */
  readonly by: string | undefined;
  /** What each of them was, as a part of its limit; `null` where it could not be read. */
  readonly loads: Readonly<Record<string, number | null>>;
}

const part: Rule<number> = number(0.2, { above: 0, max: 1 });

const p99Rules = {
  read: required(functionOf<() => number | undefined>()),
  maxMs: required(durationMs(undefined, { above: 0 })),
} satisfies RulesFor<NonNullable<GateOptions['p99']>>;

const p99: Rule<Checked<typeof p99Rules> | undefined> = (value, option) =>
  value === undefined ? undefined : readOptions(`\`${option}\``, value, p99Rules, `${option}.`);

const rules = {
  eventLoop: orFalse(number(0.7, { above: 0, max: 1 })),
  pressure: orFalse(record({ cpu: orFalse(part), io: orFalse(part) } satisfies RulesFor<PressureLimits>)),
  p99,
  everyMs: durationMs(200, { min: 10 }),
} satisfies Record<keyof GateOptions, Rule<unknown>>;

/** Below this part of its limit, a load gives way. */
const calm = 0.8;
/** The first share; a smaller one is none. */
const least = 0.01;
/** A factor: where users leave little room, steps are small, and a load that is told late is not run over. */
const growth = 1.2;
const restMs = 10_000;

/**
 * Lets work use less of its time as users need more: its share begins with none, then a hundredth, grows by a fifth whenever every
 * load is below four fifths of its limit, and is halved whenever one is over it, down to none. Reads the load only when it is asked,
 * so it has no timer and needs no end. May be given to several jobs.
 *
 * What cannot be read counts as over the limit, except where a machine has no `/proc/pressure`.
 *
 * @throws InvalidOptionError, also when nothing counts
 */
export function gate(options: GateOptions = {}): Gate & { snapshot(): GateSnapshot } {
  const { eventLoop, pressure, p99, everyMs } = readOptions('gate', options, rules);
  const signals = [
    ...(eventLoop === undefined ? [] : [utilizationSignal(eventLoop)]),
    ...(pressure?.cpu === undefined ? [] : [pressureSignal('cpu', pressure.cpu)]),
    ...(pressure?.io === undefined ? [] : [pressureSignal('io', pressure.io)]),
    ...(p99 === undefined ? [] : [p99Signal(p99.read, p99.maxMs)]),
  ];
  if (signals.length === 0) {
    throw new InvalidOptionError('gate', 'a gate needs one of `eventLoop`, `pressure` and `p99`');
  }
  return new LoadGate(signals, everyMs);
}

/** For tests, with signals of their own. */
export class LoadGate implements Gate {
  readonly #signals: readonly LoadSignal[];
  readonly #everyMs: number;
  #readAt = -Infinity;
  #share = 0;
  #loads: Readonly<Record<string, number | null>> = {};

  constructor(signals: readonly LoadSignal[], everyMs: number) {
    this.#signals = signals;
    this.#everyMs = everyMs;
  }

  share(nowMs: number): number {
    const sinceMs = nowMs - this.#readAt;
    if (sinceMs < this.#everyMs) return this.#share;
    // After a rest it begins slowly again: nobody knows what users do now
    if (sinceMs > restMs) this.#share = 0;
    this.#readAt = nowMs;
    this.#loads = Object.fromEntries(this.#signals.map(({ name, read }) => [name, read(nowMs)]));
    const { load } = this.snapshot();
    if (load >= 1) this.#share = this.#share / 2 < least ? 0 : this.#share / 2;
    else if (load < calm) this.#share = Math.min(1, Math.max(least, this.#share * growth));
    return this.#share;
  }

  snapshot(): GateSnapshot {
    let load = 0;
    let by: string | undefined;
    for (const [name, each] of Object.entries(this.#loads)) {
      const worst = each ?? Infinity;
      if (worst > load) [load, by] = [worst, name];
    }
    // JSON has no Infinity
    return { share: this.#share, load: Math.min(load, 1_000), by, loads: this.#loads };
  }
}
