import type { Store } from '@ashlar/store';
import type { Delivery, Driver } from '../../src/index.ts';

/** Where a process may die, in the order in which a message passes. A sent command's answer is not read. */
export const killPoints = [
  'before the claim',
  'the claim sent',
  'after the claim',
  'after the look for a record',
  'before the effect',
  'the effect sent',
  'after the effect',
  'before the record',
  'the record sent',
  'after the record',
  'before the release',
  'after the release',
  'before ack',
  'after ack',
] as const;
export type KillPoint = (typeof killPoints)[number];

/** Ends or stops the process at one point, the first time that it comes there. */
export class Fate {
  readonly #point: string;
  readonly #signal: 'SIGKILL' | 'SIGSTOP';
  #isSpent = false;

  constructor(point: string, signal: 'SIGKILL' | 'SIGSTOP') {
    this.#point = point;
    this.#signal = signal;
  }

  at(point: KillPoint): void {
    if (point !== this.#point || this.#isSpent) return;
    this.#isSpent = true;
    process.kill(process.pid, this.#signal);
  }

  /** In the next round of the event loop, what was written before is with the system. */
  sent(point: KillPoint): void {
    if (point === this.#point) setImmediate(() => this.at(point));
  }

  /** A store in whose operations it comes. */
  store(store: Store): Store {
    return new Proxy(store, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        const points = operations[name as string];
        if (points === undefined) return value.bind(target);
        return (...args: readonly unknown[]) => this.passing(points, () => value.apply(target, args));
      },
    });
  }

  /** A driver whose acknowledgements it comes beside. */
  driver<D extends Driver>(driver: D): D {
    const consume = async function* (this: Fate, ...args: Parameters<Driver['consume']>) {
      for await (const delivery of driver.consume(...args)) yield this.#delivery(delivery);
    };
    return new Proxy(driver, {
      get: (target, name) => {
        if (name === 'consume') return consume.bind(this);
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  async passing<T>([before, sent, after]: Points, call: () => Promise<T>): Promise<T> {
    if (before !== undefined) this.at(before);
    const answer = call();
    if (sent !== undefined) this.sent(sent);
    const result = await answer;
    if (after !== undefined) this.at(after);
    return result;
  }

  #delivery(delivery: Delivery): Delivery {
    const ack = delivery.ack.bind(delivery);
    delivery.ack = options => this.passing(['before ack', undefined, 'after ack'], () => ack(options));
    return delivery;
  }
}

type Points = readonly [
  before?: KillPoint | undefined,
  sent?: KillPoint | undefined,
  after?: KillPoint | undefined,
];

const operations: Readonly<Record<string, Points>> = {
  claim: ['before the claim', 'the claim sent', 'after the claim'],
  get: [undefined, undefined, 'after the look for a record'],
  set: ['before the record', 'the record sent', 'after the record'],
  release: ['before the release', undefined, 'after the release'],
};
export const effect: Points = ['before the effect', 'the effect sent', 'after the effect'];
