import { onAbort, sleep } from '@ashlar/core';
import type { Channel, ConsumeMessage } from 'amqplib';
import type { ConsumeOptions, Delivery } from '../../../driver.ts';
import { GroupGoneError, QueueClosedError, QueueTimeoutError } from '../../../errors.ts';
import { inTime } from '../../in-time.ts';
import { isNotFound, isRefusal, typed } from '../refusals.ts';
import { storedOf } from '../wire.ts';
import { Held, type HeldParts } from './held.ts';

export interface ConsumerParts extends HeldParts {
  readonly topic: string;
  readonly group: string;
  readonly queue: string;
  /** Milliseconds that a call may take. */
  readonly timeoutMs: number;
  /** `isAlone`: on a connection that no other group uses. */
  channel(isAlone: boolean): Promise<Channel>;
  /** Closes it. */
  end(channel: Channel): void;
}

/** What amqplib keeps of its consumers, and its types leave out. */
interface ConsumerTable {
  registerConsumer(tag: string, callback: (message: ConsumeMessage | null) => void): void;
}

const pauseMs = 200;
const longestPauseMs = 1_600;
/** What the protocol has room for. */
const maxPrefetch = 65_535;
/** Milliseconds between questions whether the queue is there: a socket that is open says nothing of that. */
const beatMs = 5_000;

/** Deliveries of one group, over one channel after the other. Throws what waiting does not mend. */
export async function* consume(
  parts: ConsumerParts,
  { prefetch, signal, alive }: ConsumeOptions,
): AsyncGenerator<Delivery, void, undefined> {
  let nextPauseMs = pauseMs;
  while (!signal.aborted) {
    const session = new Session(parts, signal);
    try {
      // RabbitMQ ends the connection of who would consume a quorum queue that has no leader: with it all others would lose theirs
      await session.begin(prefetch, nextPauseMs > pauseMs);
      nextPauseMs = pauseMs;
      alive?.();
      yield* session.deliveries(alive);
    } catch (error) {
      if (error instanceof GroupGoneError || error instanceof QueueClosedError) throw error;
      if (isRefusal(error)) throw typed(error, 'NotExecuted');
      if (session.isBeginning) nextPauseMs = Math.min(2 * nextPauseMs, longestPauseMs);
    } finally {
      await session.leave();
    }
    await sleep(nextPauseMs, signal).catch(() => {}); // The next channel may be on another connection
  }
}

/** One channel with one consumer. */
class Session {
  /** Whether there is a channel, and no consumer yet. */
  isBeginning = false;
  readonly #parts: ConsumerParts;
  readonly #signal: AbortSignal;
  readonly #waiting: ConsumeMessage[] = [];
  readonly #held = new Set<Held>();
  #channel: Channel | undefined;
  #tag: string | undefined;
  #prefetch = 0;
  #isAsking = false;
  #isOver = false;
  #isLeft = false;
  #receive: (message: ConsumeMessage | null) => void = () => {};
  #wake = () => {};

  constructor(parts: ConsumerParts, signal: AbortSignal) {
    this.#parts = parts;
    this.#signal = signal;
  }

  async begin(prefetch: number, isAlone: boolean): Promise<void> {
    this.#prefetch = Math.min(prefetch, maxPrefetch);
    const { queue, topic, group } = this.#parts;
    const channel = await this.#parts.channel(isAlone);
    this.#channel = channel;
    this.isBeginning = true;
    channel.on('close', () => this.#end());
    const receive = (message: ConsumeMessage | null) => {
      // Without a message: RabbitMQ has canceled the consumer, as for a queue that was deleted
      if (message === null) this.#close();
      else this.#waiting.push(message);
      this.#wake();
    };
    this.#receive = receive;
    try {
      await channel.prefetch(this.#prefetch);
      this.#tag = (await channel.consume(queue, receive)).consumerTag;
      this.isBeginning = false;
    } catch (error) {
      if (isNotFound(error)) throw new GroupGoneError(topic, group, { cause: error });
      throw error;
    }
  }

  async *deliveries(alive: (() => void) | undefined): AsyncGenerator<Delivery, void, undefined> {
    const channel = this.#channel!;
    const unlink = onAbort(this.#signal, () => this.#wake());
    const beat = setInterval(() => void this.#ask(channel, alive), beatMs).unref();
    try {
      while (!this.#signal.aborted && !this.#isOver) {
        const message = this.#waiting.shift();
        if (message === undefined) {
          await new Promise<void>(resolve => {
            this.#wake = resolve;
          });
          continue;
        }
        const stored = storedOf(message);
        const isFirst = stored.deliveries === 0 && !message.fields.redelivered;
        if (isFirst && stored.expiresAt <= Date.now()) {
          channel.ack(message);
          continue;
        }
        const held: Held = new Held(message, stored, channel, this.#parts, () => this.#settled(held));
        this.#held.add(held);
        yield held;
      }
    } finally {
      clearInterval(beat);
      unlink?.();
    }
  }

  async #ask(channel: Channel, alive: (() => void) | undefined): Promise<void> {
    if (this.#isAsking || this.#isOver) return;
    this.#isAsking = true;
    try {
      await channel.checkQueue(this.#parts.queue);
      if (!this.#isOver) alive?.();
    } catch {
      // The channel has ended with that
    } finally {
      this.#isAsking = false;
    }
  }

  /** What was not handed to the caller goes back uncharged; what was, keeps the channel until it is settled. */
  async leave(): Promise<void> {
    const channel = this.#channel;
    if (channel === undefined || this.#isOver) return;
    try {
      const { timeoutMs } = this.#parts;
      await inTime(this.#cancel(channel), timeoutMs, () => new QueueTimeoutError('RabbitMQ', timeoutMs));
      const orphans = this.#waiting.splice(0);
      await Promise.all(
        orphans.map(message =>
          new Held(message, storedOf(message), channel, this.#parts, () => {}).nack({ charge: false }),
        ),
      );
    } catch {
      // Then RabbitMQ requeues them when the channel ends
    }
    this.#isLeft = true;
    this.#closeWhenDone();
  }

  async #cancel(channel: Channel): Promise<void> {
    if (this.#tag === undefined) return;
    await this.#untilArrived(channel);
    await channel.cancel(this.#tag);
    // A quorum queue's last messages may come after its answer, and amqplib knows their consumer no more
    (channel as unknown as ConsumerTable).registerConsumer(this.#tag, this.#receive);
    await channel.checkQueue(this.#parts.queue);
  }

  /** RabbitMQ counts as handed out what is on its way to a quorum queue's consumer that is canceled; so it comes first. */
  async #untilArrived(channel: Channel): Promise<void> {
    for (let attempt = 0; attempt < 10; attempt++) {
      const { messageCount } = await channel.checkQueue(this.#parts.queue);
      if (messageCount === 0 || this.#waiting.length + this.#held.size >= this.#prefetch) return;
      await sleep(5);
    }
  }

  #settled(held: Held): void {
    this.#held.delete(held);
    this.#closeWhenDone();
  }

  #closeWhenDone(): void {
    if (this.#isLeft && this.#held.size === 0) this.#close();
  }

  #close(): void {
    if (this.#isOver) return;
    this.#end();
    if (this.#channel !== undefined) this.#parts.end(this.#channel);
  }

  #end(): void {
    this.#isOver = true;
    for (const held of this.#held) held.isLost = true;
    this.#wake();
  }
}
