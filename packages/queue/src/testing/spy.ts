import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { durationMs, functionOf, integer, oneOf, type RulesFor, readOptions, text } from '@ashlar/core';
import type { FailedMessage } from '../diagnostics.ts';
import type { Capabilities, Delivery, Driver, OutgoingMessage } from '../driver.ts';
import { decode } from '../messages/envelope.ts';
import { TestTimeoutError } from './errors.ts';
import { realTime } from './real-time.ts';
import { wrapped } from './wrapped.ts';

const states = ['published', 'handled', 'failed', 'dead'] as const;

/** `failed` for each attempt that did; the last of them is `dead` as well. */
export type SpiedState = (typeof states)[number];

/** What became of a message. */
export interface SpiedMessage<P = unknown> {
  readonly state: SpiedState;
  readonly topic: string;
  /** Undefined for a published one. */
  readonly group: string | undefined;
  readonly id: string;
  readonly key: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** As it was published; undefined when its body is no JSON. */
  readonly payload: P;
  /** How often it was handed out to the group, this time included; 0 for a published one. */
  readonly attempt: number;
  /** What the handler threw. */
  readonly error: unknown;
  /** Why it is dead. */
  readonly reason: string | undefined;
}

export interface WaitForOptions {
  /** Default: `handled`. */
  readonly state?: SpiedState;
  /** Of this group. Default: of any. */
  readonly group?: string;
  /** Milliseconds of real time. Default: 5 000. */
  readonly timeoutMs?: number;
}

interface Waiting {
  readonly topic: string;
  readonly state: SpiedState;
  readonly group: string | undefined;
  matches(payload: unknown, message: SpiedMessage): boolean;
  resolve(message: SpiedMessage): void;
  reject(error: unknown): void;
}

const waitRules = {
  state: oneOf('handled', states),
  group: text(),
  timeoutMs: durationMs(5_000),
} satisfies RulesFor<WaitForOptions>;
const spyRules = { max: integer(1_000, { min: 1 }) };
const anyPredicate = functionOf<(payload: never, message: never) => boolean>();

const failedChannel = 'ashlar:queue:failed';

/**
 * Remembers what is published and handled through a driver, and waits for it: no test needs to sleep. Wrap any driver:
 * `new Queue(spy.watch(redisStreams({ redis })), …)`.
 */
export class QueueSpy<In = Record<string, unknown>> {
  readonly #max: number;
  #messages: SpiedMessage[] = [];
  readonly #waiting = new Set<Waiting>();

  /** @param options `max`: how many it remembers; the oldest go. Default: 1 000. @throws InvalidOptionError */
  constructor(options: { readonly max?: number } = {}) {
    this.#max = readOptions('QueueSpy', options, spyRules).max;
  }

  /** The same driver, watched. */
  watch<K extends Capabilities>(driver: Driver<K>): Driver<K> {
    // A settlement does not carry the error; it is published in the same turn, right before
    let last: FailedMessage | undefined;
    const listen = (message: unknown) => {
      last = message as FailedMessage;
    };
    subscribe(failedChannel, listen);
    const errorOf = (id: string) => (last?.id === id ? last.error : undefined);
    return wrapped<Driver<K>, Pick<Driver, 'publish' | 'consume' | typeof Symbol.asyncDispose>>(driver, {
      publish: async (topic, batch, settings) => {
        const published = await driver.publish(topic, batch, settings);
        for (const [index, { ok }] of published.entries()) {
          if (ok) this.#add('published', topic, undefined, batch[index]!);
        }
        return published;
      },
      consume: (topic, group, options) =>
        this.#consume(driver.consume(topic, group, options), topic, group, errorOf),
      [Symbol.asyncDispose]: async () => {
        unsubscribe(failedChannel, listen);
        await driver[Symbol.asyncDispose]();
      },
    });
  }

  /** What was published to the topic and confirmed, oldest first. */
  published<T extends keyof In & string>(topic: T): readonly SpiedMessage<In[T]>[] {
    return this.#of(topic, 'published');
  }

  /** What was handled and acknowledged, oldest first. */
  handled<T extends keyof In & string>(topic: T): readonly SpiedMessage<In[T]>[] {
    return this.#of(topic, 'handled');
  }

  /** Attempts that failed, oldest first. */
  failed<T extends keyof In & string>(topic: T): readonly SpiedMessage<In[T]>[] {
    return this.#of(topic, 'failed');
  }

  /** What went to the dead letters, oldest first. */
  dead<T extends keyof In & string>(topic: T): readonly SpiedMessage<In[T]>[] {
    return this.#of(topic, 'dead');
  }

  /**
   * The first message that matches, remembered or to come.
   *
   * @throws TestTimeoutError, which says what there was instead; what the predicate throws
   */
  waitFor<T extends keyof In & string>(
    topic: T,
    predicate: (payload: In[T], message: SpiedMessage<In[T]>) => boolean = () => true,
    options: WaitForOptions = {},
  ): Promise<SpiedMessage<In[T]>> {
    return new Promise((resolve, reject) => {
      const { state, group, timeoutMs } = readOptions('waitFor', options, waitRules);
      const matches = anyPredicate(predicate, 'predicate') as Waiting['matches'];
      const late = () => {
        this.#waiting.delete(waiting);
        reject(new TestTimeoutError(this.#lateText(topic, state, timeoutMs)));
      };
      const stop = realTime.after(timeoutMs, late);
      const ended =
        <V>(end: (value: V) => void) =>
        (value: V) => {
          stop();
          this.#waiting.delete(waiting);
          end(value);
        };
      const waiting: Waiting = {
        ...{ topic, state, group, matches },
        resolve: ended(resolve as (message: SpiedMessage) => void),
        reject: ended(reject),
      };
      this.#waiting.add(waiting);
      for (const message of this.#messages) {
        if (this.#tell(waiting, message)) return;
      }
    });
  }

  /** Forgets what it remembers. */
  clear(): void {
    this.#messages = [];
  }

  async *#consume(
    deliveries: AsyncIterable<Delivery>,
    topic: string,
    group: string,
    errorOf: (id: string) => unknown,
  ): AsyncGenerator<Delivery> {
    for await (const delivery of deliveries) {
      const add = (state: SpiedState, error?: unknown, reason?: string) =>
        this.#add(state, topic, group, delivery, { attempt: delivery.deliveries, error, reason });
      yield wrapped<Delivery, Pick<Delivery, 'ack' | 'nack'>>(delivery, {
        ack: async options => {
          await delivery.ack(options);
          add('handled');
        },
        nack: async options => {
          const error = errorOf(delivery.id);
          await delivery.nack(options);
          if (options.charge !== false) add('failed', error, options.dead);
          if (options.dead !== undefined) add('dead', error, options.dead);
        },
      });
    }
  }

  #add(
    state: SpiedState,
    topic: string,
    group: string | undefined,
    { id, key, headers, body }: OutgoingMessage | Delivery,
    more: { readonly attempt: number; readonly error?: unknown; readonly reason?: string | undefined } = {
      attempt: 0,
    },
  ): void {
    const payload = payloadOf(topic, body, headers);
    const { attempt, error, reason } = more;
    const message = { ...{ state, topic, group, id, key, headers, payload }, attempt, error, reason };
    this.#messages.push(message);
    if (this.#messages.length > this.#max) this.#messages.shift();
    for (const waiting of this.#waiting) this.#tell(waiting, message);
  }

  #tell(waiting: Waiting, message: SpiedMessage): boolean {
    const { topic, state, group } = waiting;
    if (message.topic !== topic || message.state !== state) return false;
    if (group !== undefined && message.group !== group) return false;
    try {
      if (!waiting.matches(message.payload, message)) return false;
      waiting.resolve(message);
    } catch (error) {
      waiting.reject(error);
    }
    return true;
  }

  #of<P>(topic: string, state: SpiedState): SpiedMessage<P>[] {
    return this.#messages.filter(
      (message): message is SpiedMessage<P> => message.topic === topic && message.state === state,
    );
  }

  #lateText(topic: string, state: SpiedState, timeoutMs: number): string {
    const counts = states.map(each => `${this.#of(topic, each).length} ${each}`);
    const what = `no message of ${JSON.stringify(topic)} that matches was ${state} within ${timeoutMs} ms`;
    const error = this.#of(topic, 'failed').at(-1)?.error;
    return `${what}; there were ${counts.join(', ')}${error === undefined ? '' : `, at last with ${String(error)}`}`;
  }
}

function payloadOf(topic: string, body: Uint8Array, headers: Readonly<Record<string, string>>): unknown {
  try {
    return decode(topic, body, headers['content-type']);
  } catch {
    return undefined;
  }
}
