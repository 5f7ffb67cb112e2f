import { backgroundClock, onAbort } from '@ashlar/core';
import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import { OneByOne, type Source } from '../../../consuming/one-by-one.ts';
import type { ConsumeOptions, Delivery, NackOptions } from '../../../driver.ts';
import { QueueUnavailableError } from '../../../errors.ts';
import type { LinkState, NatsLink } from '../connection.ts';
import type { GroupNames, TopicNames } from '../names.ts';
import { fieldsOf } from '../raw-headers.ts';
import { own, type Streams } from '../streams.ts';
import { receiptOf, Stored } from '../wire.ts';
import { Held, type Settling } from './held.ts';
import { LeaseStart } from './lease-start.ts';
import { type PullEnd, Puller } from './pull.ts';
import type { ServerClock } from './server-clock.ts';
import { Settler } from './settler.ts';

export interface ConsumerParts {
  readonly topic: string;
  readonly group: string;
  readonly topicNames: TopicNames;
  readonly names: GroupNames;
  readonly link: NatsLink;
  readonly streams: Streams;
  readonly clock: ServerClock;
  readonly leaseMs: number;
  readonly maxDead: number;
}

/** A request for new messages waits so long; after it, what failed earlier is asked for, also without a hint. */
const waitMs = 2_000;
/** While all places are taken, nothing else asks the server whether it has the group. */
const askMs = 5_000;
/** The end of a lease as seen from here: an answer sent before it arrives in time. */
const marginOfLease = 0.1;
const working = new TextEncoder().encode('+WPI');

/** Deliveries of one group, as many at once as there are places. */
export function consume(parts: ConsumerParts, options: ConsumeOptions): AsyncIterable<Delivery> {
  return new OneByOne(async () => {
    if (options.signal.aborted) return undefined;
    await parts.streams.consumer(parts.topic, parts.group);
    return new Consumer(parts, await parts.link.open(), options);
  });
}

class Consumer implements Source<Delivery>, Settling {
  readonly #parts: ConsumerParts;
  readonly #connection: NatsConnection;
  readonly #options: ConsumeOptions;
  readonly #settler: Settler;
  readonly #new: Puller;
  readonly #again: Puller;
  readonly #later: Puller;
  readonly #hints: Subscription;
  readonly #leaseStart: LeaseStart;
  readonly #held = new Set<Held>();
  /** Those that were not yet handed to the caller. */
  readonly #ready: Held[] = [];
  /** Those whose time may be over, until the server has said its own. */
  readonly #doubtful = new Set<Promise<void>>();
  readonly #unlink: readonly (() => void)[];
  /** There may be some that failed earlier. */
  #isHinted = true;
  #laterAt = 0;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;
  #checking = false;
  #checkedAt = performance.now();

  constructor(parts: ConsumerParts, connection: NatsConnection, options: ConsumeOptions) {
    this.#parts = parts;
    this.#connection = connection;
    this.#options = options;
    this.#settler = new Settler(parts);
    const { topicNames, names, link, leaseMs } = parts;
    const pull = (
      stream: string,
      consumer: string,
      received: (message: Msg) => void,
      ended: (end: PullEnd) => void = () => {},
    ) =>
      new Puller(connection, link.apiSubject(`CONSUMER.MSG.NEXT.${stream}.${consumer}`), received, end => {
        ended(end);
        this.#ended(end);
      });
    const receive = (message: Msg) => this.#receive(message);
    this.#new = pull(topicNames.stream, names.consumer, receive, end => {
      this.#isHinted ||= end === 'none';
    });
    this.#again = pull(names.again, own.ready, receive, end => {
      // There may be more of them than there were places
      this.#isHinted ||= end === 'done';
    });
    this.#later = pull(names.again, own.later, message => void this.#settler.moveDue(message));
    this.#hints = connection.subscribe(names.ready, {
      callback: () => {
        this.#isHinted = true;
        this.#wake?.();
      },
    });
    this.#leaseStart = new LeaseStart(leaseMs);
    const changed = (state: LinkState) => {
      if (state === 'away') for (const puller of this.#pullers) puller.cut();
      if (state !== 'there') parts.clock.forget();
      if (state === 'closed') this.#failure ??= lost();
      this.#isHinted = true;
      this.#wake?.();
    };
    link.changed.add(changed);
    this.#unlink = [() => link.changed.delete(changed), onAbort(options.signal, () => this.#wake?.())];
  }

  take(): Delivery | undefined {
    if (this.#options.signal.aborted || this.#failure !== undefined) return undefined;
    for (let next = this.#ready.shift(); next !== undefined; next = this.#ready.shift()) {
      if (next.endsAt <= performance.now()) continue;
      this.#held.add(next);
      return next;
    }
    return undefined;
  }

  async more(): Promise<boolean> {
    if (this.#options.signal.aborted) return false;
    if (this.#failure !== undefined) throw this.#failure;
    const now = performance.now();
    for (const held of this.#held) if (held.endsAt <= now) this.#held.delete(held);
    this.#ask(now);
    await this.#untilSomething();
    return true;
  }

  /** What was not handed to the caller goes back uncharged; what was, stays until its lease ends. */
  async leave(): Promise<void> {
    for (const unlink of this.#unlink) unlink();
    this.#leaseStart.stop();
    this.#hints.unsubscribe();
    await Promise.all(this.#pullers.map(puller => puller.close()));
    await Promise.all(this.#doubtful);
    await Promise.all(this.#ready.splice(0).map(held => held.nack({ charge: false }).catch(() => {})));
  }

  ack(held: Held): Promise<void> {
    return this.#settler.ack(held);
  }

  nack(held: Held, options: NackOptions): Promise<void> {
    return this.#settler.nack(held, options);
  }

  async extend(held: Held): Promise<void> {
    const sentAt = performance.now();
    try {
      this.#connection.publish(held.reply, working);
      await this.#connection.flush();
    } catch (cause) {
      throw lost({ cause });
    }
    held.endsAt = sentAt + this.#leaseMs;
  }

  settled(held: Held): void {
    this.#held.delete(held);
    this.#wake?.();
  }

  get #pullers(): readonly Puller[] {
    return [this.#new, this.#again, this.#later];
  }

  /** Shorter than that of JetStream, so that what is sent within it arrives in time. */
  get #leaseMs(): number {
    return this.#parts.leaseMs * (1 - marginOfLease);
  }

  /** For each free place one message, asked for where there may be one. */
  #ask(now: number): void {
    if (!this.#parts.link.isThere) return;
    const { prefetch } = this.#options;
    if (this.#later.open === 0 && now >= this.#laterAt) this.#later.ask(100, waitMs);
    if (this.#isHinted && this.#new.open > 0) {
      void this.#new.cancel();
      return;
    }
    const mine = this.#held.size + this.#ready.length + this.#doubtful.size;
    if (mine >= prefetch && now >= this.#checkedAt + askMs) void this.#check();
    const free = prefetch - mine - this.#new.open - this.#again.open;
    if (free <= 0 || this.#new.open > 0 || this.#again.open > 0) return;
    if (this.#isHinted) {
      this.#isHinted = false;
      this.#again.ask(free, 0);
    } else {
      this.#new.ask(free, waitMs);
    }
  }

  async #untilSomething(): Promise<void> {
    if (this.#ready.length > 0 || this.#failure !== undefined || this.#options.signal.aborted) return;
    const end = new AbortController();
    const woken = new Promise<void>(resolve => {
      this.#wake = resolve;
    });
    // A place is also free when a lease has ended
    const late = backgroundClock.sleep(this.#leaseMs / 4, end.signal).catch(() => {});
    await Promise.race([woken, late]);
    end.abort();
    this.#wake = undefined;
  }

  #ended(end: PullEnd): void {
    if (end === 'none' || end === 'done') this.#options.alive?.();
    if (end === 'gone') void this.#check();
    this.#wake?.();
  }

  /** Whether the group is there: where nobody answers for it, it is gone, or the server is not ready yet. */
  async #check(): Promise<void> {
    if (this.#checking) return;
    this.#checking = true;
    this.#checkedAt = performance.now();
    const { streams, topic, group, names } = this.#parts;
    try {
      await streams.consumer(topic, group);
      for (const name of [own.ready, own.later]) await streams.consumerOf(topic, group, names.again, name);
      await backgroundClock.sleep(50);
    } catch (error) {
      if (error instanceof QueueUnavailableError) await backgroundClock.sleep(100);
      else this.#failure = error as Error;
    }
    this.#checking = false;
    this.#wake?.();
  }

  #receive(message: Msg): void {
    this.#options.alive?.();
    const receipt = receiptOf(message.reply!);
    const orElse = `${this.#parts.topicNames.stream}:${receipt.sequence}`;
    const stored = new Stored(fieldsOf(message), message.data, receipt.storedAt, orElse);
    const endsAt = this.#leaseStart.now() + this.#leaseMs;
    const held = new Held(stored, receipt, message.reply!, endsAt, this);
    const { clock } = this.#parts;
    const now = Number.isFinite(stored.expiresAt) ? clock.known(receipt) : 0;
    if (now === undefined) this.#doubt(held, clock.now(receipt));
    else this.#sort(held, now);
  }

  #doubt(held: Held, asking: Promise<number>): void {
    const doubtful = asking.then(
      now => this.#sort(held, now),
      // Uncharged, it comes again at once: the server may say its time then
      () => this.#settler.pass(held).catch(() => {}),
    );
    this.#doubtful.add(doubtful);
    void doubtful.then(() => {
      this.#doubtful.delete(doubtful);
      this.#wake?.();
    });
  }

  #sort(held: Held, now: number): void {
    const { stored, receipt } = held;
    if (stored.expiresAt <= now) void this.ack(held).catch(() => {});
    else if (stored.isHeldBack || receipt.deliveries > 1) void this.#settler.pass(held).catch(() => {});
    else this.#ready.push(held);
    this.#wake?.();
  }
}

function lost(options?: ErrorOptions): Error {
  return new QueueUnavailableError('the connection to NATS was lost', 'Unknown', options);
}
