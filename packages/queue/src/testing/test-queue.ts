import { AsyncLocalStorage } from 'node:async_hooks';
import { durationMs, oneOf, type RulesFor, readOptions, refused } from '@ashlar/core';
import { ManualClock } from '@ashlar/core/testing';
import type { BatchContext, HandlerContext, TransactionContext } from '../consuming/context.ts';
import type {
  BatchSubscribeOptions,
  SubscribeOptions,
  TransactionSubscribeOptions,
} from '../consuming/options.ts';
import type { Subscription } from '../consuming/subscription.ts';
import type { Published } from '../driver.ts';
import type { BeginIdempotencyOptions, PoolIdempotencyOptions } from '../idempotency/options.ts';
import { memoryDriver } from '../memory/memory-driver.ts';
import type { MemoryCapabilities } from '../memory/options.ts';
import type { PublishOptions } from '../publishing/options.ts';
import type { PublishResult } from '../publishing/publisher.ts';
import { Queue, type QueueOptions } from '../queue.ts';
import { TestTimeoutError } from './errors.ts';
import { type FaultOptions, type FaultyDriver, faulty } from './faulty.ts';
import { Gate } from './gate.ts';
import { realTime } from './real-time.ts';
import { QueueSpy } from './spy.ts';

export interface TestQueueOptions<In, Out = In> extends Omit<QueueOptions<In, Out>, 'clock'> {
  /**
   * `inline`: `publish` also waits for the handlers that can run now, also of what they publish. `manual`: nothing is
   * handled until `run`, `drain` or `advance`. Default: `inline`.
   */
  readonly mode?: 'inline' | 'manual';
  /** Faults by chance. Default: none. */
  readonly faults?: FaultOptions;
  /** Milliseconds of virtual time that a message stays with a handler whose process died. Default: 10 000. */
  readonly leaseMs?: number;
}

export interface RunOptions {
  /** Milliseconds of real time that handlers may take. Default: 5 000. */
  readonly timeoutMs?: number;
}

export interface RunAllOptions extends RunOptions {
  /** Milliseconds of virtual time that may pass. Default: 86 400 000, a day. */
  readonly maxMs?: number;
}

const rules = {
  mode: oneOf('inline', ['inline', 'manual']),
  leaseMs: durationMs(10_000, { above: 0 }),
} satisfies RulesFor<Pick<TestQueueOptions<never>, 'mode' | 'leaseMs'>>;
const runRules = { timeoutMs: durationMs(5_000) } satisfies RulesFor<RunOptions>;
const drainRules = { ...runRules, maxMs: durationMs(86_400_000) } satisfies RulesFor<RunAllOptions>;

type AnyHandler = (payload: never, context: never) => unknown;

/**
 * A queue in memory whose time stands still, for tests of the code that publishes and handles: it goes wherever a `Queue`
 * goes, and works with every test runner, also where that has replaced the timers. Delays, pauses between attempts and
 * leases pass in virtual time, at once.
 */
export class TestQueue<In, Out = In> extends Queue<In, MemoryCapabilities, Out> {
  /** Stands still unless `drain` or `advance` moves it. */
  readonly clock: ManualClock;
  /** What was published, handled, failed and dead. */
  readonly spy: QueueSpy<In>;
  /** The driver, to inject faults into: `queue.driver.inject('loseReply')`. */
  readonly driver: FaultyDriver<MemoryCapabilities>;
  readonly #mode: 'inline' | 'manual';
  readonly #gate: Gate;
  /** Whether the code that publishes is called by a handler, which then must not wait for itself. */
  readonly #handling = new AsyncLocalStorage<true>();

  /** @throws InvalidOptionError */
  constructor(options: TestQueueOptions<In, Out>) {
    const { mode, faults, leaseMs, ...others } = options ?? {};
    if ('clock' in others) throw refused('clock', 'absent', others.clock, 'a TestQueue has one of its own');
    const own = readOptions('TestQueue', { mode, leaseMs }, rules);
    const clock = new ManualClock();
    const driver = faulty(memoryDriver({ clock, leaseMs: own.leaseMs }), faults);
    const gate = new Gate(driver, own.mode === 'inline');
    const spy = new QueueSpy<In>();
    super(spy.watch(gate.driver), { ...others, clock } as QueueOptions<In, Out>);
    this.clock = clock;
    this.spy = spy;
    this.driver = driver;
    this.#mode = own.mode;
    this.#gate = gate;
  }

  override async publish<T extends keyof In & string>(
    topic: T,
    payload: In[T],
    options?: PublishOptions<MemoryCapabilities>,
  ): Promise<PublishResult> {
    const published = await super.publish(topic, payload, options);
    await this.#published();
    return published;
  }

  override async publishMany<T extends keyof In & string>(
    topic: T,
    payloads: readonly In[T][],
    options?:
      | PublishOptions<MemoryCapabilities>
      | ((payload: In[T], index: number) => PublishOptions<MemoryCapabilities>),
  ): Promise<readonly Published[]> {
    const published = await super.publishMany(topic, payloads, options);
    await this.#published();
    return published;
  }

  override subscribe<T extends keyof In & keyof Out & string>(
    topic: T,
    handler: (payloads: readonly Out[T][], context: BatchContext) => unknown,
    options: BatchSubscribeOptions<MemoryCapabilities>,
  ): Promise<Subscription>;
  override subscribe<T extends keyof In & keyof Out & string>(
    topic: T,
    handler: (payload: Out[T], context: TransactionContext) => unknown,
    options: TransactionSubscribeOptions<MemoryCapabilities, PoolIdempotencyOptions>,
  ): Promise<Subscription>;
  override subscribe<T extends keyof In & keyof Out & string, Tx>(
    topic: T,
    handler: (payload: Out[T], context: TransactionContext<Tx>) => unknown,
    options: TransactionSubscribeOptions<MemoryCapabilities, BeginIdempotencyOptions<Tx>>,
  ): Promise<Subscription>;
  override subscribe<T extends keyof In & keyof Out & string>(
    topic: T,
    handler: (payload: Out[T], context: HandlerContext) => unknown,
    options?: SubscribeOptions<MemoryCapabilities>,
  ): Promise<Subscription>;
  override subscribe<T extends keyof In & keyof Out & string>(
    topic: T,
    handler: AnyHandler,
    options?: SubscribeOptions<MemoryCapabilities> & { readonly batch?: object },
  ): Promise<Subscription> {
    const known =
      typeof handler === 'function'
        ? (payload: never, context: never) => this.#handling.run(true, () => handler(payload, context))
        : handler;
    // A batch does not wait for time that stands still
    const batch = options?.batch === undefined ? undefined : { batch: { ...options.batch, waitMs: 0 } };
    return super.subscribe(topic, known as (payload: Out[T]) => unknown, { ...options, ...batch });
  }

  /**
   * Runs the handlers of all messages that can be handed out now, and of what they publish, without moving time.
   *
   * @throws TestTimeoutError when handlers do not end; one that sleeps by the queue's clock needs `advance`
   */
  async run(options: RunOptions = {}): Promise<void> {
    const { timeoutMs } = readOptions('run', options, runRules);
    await this.#opened(() => this.#idle(timeoutMs));
  }

  /**
   * Moves time on until no message waits for its delay, its next attempt or the end of its lease.
   *
   * @throws TestTimeoutError when handlers do not end, or messages still wait after `maxMs`
   */
  async drain(options: RunAllOptions = {}): Promise<void> {
    const { timeoutMs, maxMs } = readOptions('drain', options, drainRules);
    const until = this.clock.now() + maxMs;
    await this.#opened(async () => {
      await this.#idle(timeoutMs);
      for (let left = await this.#left(); left > 0; left = await this.#left()) {
        const at = this.clock.nextAt;
        if (at > until) {
          throw new TestTimeoutError(`${left} messages still wait after ${maxMs} ms of virtual time`);
        }
        await this.clock.advance(Math.max(0, at - this.clock.now()));
        await this.#idle(timeoutMs);
      }
    });
  }

  /** Moves time on by so many milliseconds, and runs what is due meanwhile. @throws InvalidOptionError */
  async advance(ms: number): Promise<void> {
    await this.#opened(() => this.clock.advance(ms));
  }

  async #published(): Promise<void> {
    const isByHandler = this.#handling.getStore() === true;
    // In a turn of its own: handlers that publish to each other for ever must not keep the test from ending them
    if (isByHandler) await realTime.turn();
    else if (this.#mode === 'inline') await this.run();
  }

  async #opened(work: () => Promise<void>): Promise<void> {
    const wasOpen = this.#gate.isOpen;
    if (!wasOpen) await this.#gate.set(true);
    try {
      await work();
    } finally {
      if (!wasOpen) await this.#gate.set(false);
    }
  }

  /** Resolves when no handler runs, and none is about to. */
  async #idle(timeoutMs: number): Promise<void> {
    const until = realTime.now() + timeoutMs;
    for (let turns = 0; turns < 2; turns++) {
      // All that is ready has run then
      await this.clock.advance(0);
      const busy = this.snapshot().subscriptions.filter(({ running }) => running > 0);
      if (busy.length === 0) continue;
      turns = -1;
      if (realTime.now() > until) {
        const names = busy.map(({ topic, group, running }) => `${running} of ${topic} in ${group}`);
        throw new TestTimeoutError(
          `handlers did not end within ${timeoutMs} ms of real time: ${names.join(', ')}`,
        );
      }
      await realTime.sleep(1);
    }
  }

  /** Messages of groups with a subscription that will be handed out in time. */
  async #left(): Promise<number> {
    let left = 0;
    const seen = new Set<string>();
    for (const { topic, group } of this.snapshot().subscriptions) {
      const name = `${topic}/${group}`;
      if (seen.has(name) || this.#gate.isPaused(topic, group)) continue;
      seen.add(name);
      const { waiting, delayed, active } = await this.driver.stats!(topic, group);
      left += waiting + (delayed ?? 0) + (active ?? 0);
    }
    return left;
  }
}
