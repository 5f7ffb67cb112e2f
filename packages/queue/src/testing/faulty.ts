import { integer, number, oneOf, type RulesFor, readOptions, required, seededRandom } from '@ashlar/core';
import { type Capabilities, type Delivery, type Driver, type Published, refusal } from '../driver.ts';
import { DeliveryLostError, QueueTimeoutError, QueueUnavailableError } from '../errors.ts';
import { wrapped } from './wrapped.ts';

const faults = ['refusePublish', 'loseReply', 'duplicate', 'loseLease', 'breakConsume'] as const;

/** What can go wrong between a queue and its backend. */
export type Fault = (typeof faults)[number];

/** How likely each fault is, from 0 to 1. */
export interface FaultOptions {
  /** The same seed makes the same faults, if calls come in the same order. Default: 1. */
  readonly seed?: number;
  /** A message is not published: QueueUnavailableError, NotExecuted. Default: 0. */
  readonly refusePublish?: number;
  /** A message is published, and the confirmation is lost: QueueTimeoutError, Unknown. Default: 0. */
  readonly loseReply?: number;
  /** A message that was acknowledged comes once more. Default: 0. */
  readonly duplicate?: number;
  /** A delivery cannot be settled: its message comes again when the lease is over, as after a crash. Default: 0. */
  readonly loseLease?: number;
  /** Consuming breaks after a delivery: QueueUnavailableError. Default: 0. */
  readonly breakConsume?: number;
}

export interface FaultyDriver<K extends Capabilities> extends Driver<K> {
  /** How many faults there were. */
  readonly injected: Readonly<Record<Fault, number>>;
  /** The next `times` (default: 1) chances of this fault are taken. @throws InvalidOptionError */
  inject(fault: Fault, times?: number): void;
}

const share = number(0, { min: 0, max: 1 });
const rules = {
  seed: integer(1),
  refusePublish: share,
  loseReply: share,
  duplicate: share,
  loseLease: share,
  breakConsume: share,
} satisfies RulesFor<FaultOptions>;
const anyFault = required(oneOf<Fault, undefined>(undefined, faults));
const anyTimes = integer(1, { min: 1 });

/** A driver with faults, by chance or on demand: what the backend and the network do to a queue, without waiting for it. */
export function faulty<K extends Capabilities>(
  driver: Driver<K>,
  options: FaultOptions = {},
): FaultyDriver<K> {
  const dice = new Dice(readOptions('faulty', options, rules));
  return wrapped<Driver<K>, Omit<FaultyDriver<K>, Exclude<keyof Driver, 'publish' | 'consume'>>>(driver, {
    injected: dice.injected,
    inject: (fault, times) => dice.load(fault, times),
    async publish(topic, batch, settings) {
      const refused = new Set(batch.filter(() => dice.falls('refusePublish')));
      const sent = batch.filter(message => !refused.has(message));
      const answers = sent.length === 0 ? [] : await driver.publish(topic, sent, settings);
      const answerOf = new Map(sent.map((message, index) => [message, answers[index]!]));
      return batch.map(message => {
        const answer = answerOf.get(message);
        if (answer === undefined) return notPublished();
        return answer.ok && dice.falls('loseReply') ? lostReply() : answer;
      });
    },
    consume: (topic, group, options) => consume(driver.consume(topic, group, options), dice),
  });
}

async function* consume(deliveries: AsyncIterable<Delivery>, dice: Dice): AsyncGenerator<Delivery> {
  for await (const delivery of deliveries) {
    if (dice.falls('loseLease')) yield unsettled(delivery);
    else if (dice.falls('duplicate')) yield repeated(delivery);
    else yield delivery;
    if (dice.falls('breakConsume'))
      throw new QueueUnavailableError('consuming broke, as was asked for', 'Unknown');
  }
}

function unsettled(delivery: Delivery): Delivery {
  const lost = () => Promise.reject(new DeliveryLostError(delivery.id));
  return wrapped(delivery, { ack: lost, nack: lost, extend: lost });
}

function repeated(delivery: Delivery): Delivery {
  return wrapped(delivery, { ack: () => delivery.nack({ charge: false }) });
}

function notPublished(): Published {
  return refusal(new QueueUnavailableError('publishing was refused, as was asked for', 'NotExecuted'));
}

function lostReply(): Published {
  return { ok: false, outcome: 'Unknown', error: new QueueTimeoutError('publish', 0) };
}

class Dice {
  readonly injected: Record<Fault, number>;
  readonly #shares: Required<FaultOptions>;
  readonly #random: () => number;
  readonly #loaded: Record<Fault, number>;

  constructor(shares: Required<FaultOptions>) {
    this.#shares = shares;
    this.#random = seededRandom(shares.seed);
    const none = () => Object.fromEntries(faults.map(fault => [fault, 0])) as Record<Fault, number>;
    this.injected = none();
    this.#loaded = none();
  }

  load(fault: Fault, times: number | undefined): void {
    this.#loaded[anyFault(fault, 'fault')] += anyTimes(times, 'times');
  }

  falls(fault: Fault): boolean {
    const isLoaded = this.#loaded[fault] > 0;
    if (isLoaded) this.#loaded[fault]--;
    else if (this.#shares[fault] === 0 || this.#random() >= this.#shares[fault]) return false;
    this.injected[fault]++;
    return true;
  }
}
