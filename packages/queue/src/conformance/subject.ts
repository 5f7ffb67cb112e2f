import { setTimeout as delay } from 'node:timers/promises';
import type { AckOptions, Delivery, Driver, Limits, OutgoingMessage } from '../driver.ts';
import { DeliveryLostError } from '../errors.ts';

/** A driver under test, and what can be done to it. Disposing ends all drivers that it made. */
export interface Subject extends AsyncDisposable {
  readonly driver: Driver;
  /** Another driver over the same state, as another process would have it. With the feature `others`. */
  other?(): Promise<Driver>;
  /** Lets time pass for the driver. Without it, it is waited for. */
  pass?(ms: number): Promise<void>;
  /** Breaks every connection of the drivers, which may come back at once. With the feature `breaks`. */
  break?(): Promise<void>;
}

export type MakeSubject = () => Promise<Subject>;

/** What the subject offers, so that no test is left out in silence. */
export interface QueueFeatures {
  readonly others?: boolean;
  readonly breaks?: boolean;
}

export type Test = (subject: Subject) => Promise<void>;
export type Tests = Readonly<Record<string, Test>>;

/** What the tests publish to, and the group that reads it. */
export const topic = 'topic';
export const group = 'group';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
let made = 0;

/** A message with an id of its own. */
export function message(text: string, more: Partial<OutgoingMessage> = {}): OutgoingMessage {
  return { id: `message-${++made}`, body: encoder.encode(text), headers: {}, ...more };
}

export function textOf({ body }: { readonly body: Uint8Array }): string {
  return decoder.decode(body);
}

export function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

/** Waits until `isSo`, letting little time pass in between; for twenty seconds at most when time is real. */
export async function until(
  { pass = ms => delay(ms) }: Subject,
  isSo: () => Promise<boolean> | boolean,
  what = 'it',
): Promise<void> {
  for (let attempt = 0; attempt < 2_000; attempt++) {
    if (await isSo()) return;
    await pass(10);
  }
  throw new Error(`${what} did not come to be within 2 000 attempts`);
}

/** What a trial was too slow for when `tookMs` is not below the time that it was given, and what holds otherwise. */
export interface Trial {
  readonly tookMs: number;
  check(): void;
}

/**
 * Tries what a busy machine may be too slow for, with more time each time. The last trial counts however long it took, and
 * the first when time is not real.
 */
export async function unhurried(
  { pass }: Subject,
  trial: (ms: number, number: number) => Promise<Trial>,
): Promise<void> {
  const times = [300, 1_500, 6_000];
  for (const [index, ms] of times.entries()) {
    const { tookMs, check } = await trial(ms, index);
    if (pass !== undefined || tookMs < ms || index === times.length - 1) return check();
  }
}

/** Publishes to a topic and throws what was not confirmed. */
export async function send(
  driver: Driver,
  topic: string,
  ...batch: readonly OutgoingMessage[]
): Promise<void> {
  for (const published of await driver.publish(topic, batch)) {
    if (!published.ok) throw published.error;
  }
}

/** A consumer that collects deliveries and settles none by itself, unless it was given `each`. */
export class Reader implements AsyncDisposable {
  readonly received: Delivery[] = [];
  error: unknown;
  readonly #stop = new AbortController();
  readonly #reading: Promise<void>;

  constructor(
    driver: Driver,
    topic: string,
    group: string,
    {
      prefetch = 10,
      each,
      ...more
    }: {
      readonly prefetch?: number;
      readonly each?: (delivery: Delivery) => Promise<void>;
      readonly ordered?: boolean;
      readonly fair?: boolean;
      readonly limits?: Limits;
    } = {},
  ) {
    const options = { prefetch, signal: this.#stop.signal, ...more };
    this.#reading = (async () => {
      for await (const delivery of driver.consume(topic, group, options)) {
        this.received.push(delivery);
        await each?.(delivery);
      }
    })().catch(error => {
      this.error = error;
    });
  }

  get texts(): string[] {
    return this.received.map(textOf);
  }

  /** Resolves when it has received so many. */
  async has(subject: Subject, count: number): Promise<readonly Delivery[]> {
    await until(
      subject,
      () => {
        if (this.error !== undefined) throw this.error;
        return this.received.length >= count;
      },
      `delivery ${count} after ${this.received.length}`,
    );
    return this.received;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#reading;
  }
}

/** Reads and acknowledges so many messages, and returns their texts. */
export async function drain(
  subject: Subject,
  driver: Driver,
  topic: string,
  group: string,
  count: number,
): Promise<string[]> {
  await using reader = new Reader(driver, topic, group, { each: delivery => delivery.ack() });
  await reader.has(subject, count);
  return reader.texts;
}

/** Reads and acknowledges messages of so many texts, also again where a lease may have ended. Returns the texts, sorted. */
export async function drainOnce(
  subject: Subject,
  driver: Driver,
  count: number,
  options?: AckOptions,
): Promise<string[]> {
  const startedAt = performance.now();
  const done = new Set<string>();
  await using reader = new Reader(driver, topic, group, {
    each: async delivery => {
      const isDone = await isSettled(delivery.ack(options), () => mayHaveEnded(driver, startedAt));
      if (isDone) done.add(textOf(delivery));
    },
  });
  await until(subject, () => done.size >= count || reader.error !== undefined, `${count} messages`);
  if (reader.error !== undefined) throw reader.error;
  return [...done].sort();
}

/**
 * Whether a lease of a message that was sent then may have ended, as it does on a busy machine before its consumer has its
 * turn: the message is for another then.
 */
export function mayHaveEnded({ leaseMs = Infinity }: Driver, sentAt: number): boolean {
  return performance.now() - sentAt >= leaseMs;
}

/** Acknowledges it; false when it was lost, and may have been. */
export function isAcknowledged(delivery: Delivery, mayBeLost: () => boolean): Promise<boolean> {
  return isSettled(delivery.ack(), mayBeLost);
}

/** Whether a settling was done; false when the delivery was lost, and may have been. */
export async function isSettled(settling: Promise<void>, mayBeLost: () => boolean): Promise<boolean> {
  try {
    await settling;
    return true;
  } catch (error) {
    if (error instanceof DeliveryLostError && mayBeLost()) return false;
    throw error;
  }
}
