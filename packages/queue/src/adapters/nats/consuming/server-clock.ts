import { QueueUnavailableError } from '../../../errors.ts';
import type { Streams } from '../streams.ts';
import type { Receipt } from '../wire.ts';

/** How long what the server said is taken for true: so late it is noticed that its clock was set. */
const freshMs = 1_000;
/** Of so many answers the quickest counts. */
const answers = 8;
/** No answer is so slow: the server's clock was set back. */
const slowMs = 10_000;

/**
 * The server's clock, which the times of stored messages are of: the clocks of processes differ. The server is asked for a
 * consumer that has just handed out a message: NATS 2.9 says no other time than when it did so last. What comes of it is
 * not ahead of the server's clock, and behind by the time that an answer takes.
 */
export class ServerClock {
  readonly #streams: Streams;
  /** What the server's clock is ahead of that of `performance` by the last answers, at least, in milliseconds. */
  #aheadMs: readonly number[] = [];
  #askedAt = -Infinity;
  #asking: Promise<void> | undefined;

  constructor(streams: Streams) {
    this.#streams = streams;
  }

  /** Milliseconds since the epoch; undefined when the server is to be asked. */
  known(receipt: Receipt): number | undefined {
    return performance.now() < this.#askedAt + freshMs ? this.#now(receipt) : undefined;
  }

  /** The same, asked for where it must be: once for all who wait. @throws QueueUnavailableError, JetStreamError */
  async now(receipt: Receipt): Promise<number> {
    this.#asking ??= this.#ask(receipt).finally(() => {
      this.#asking = undefined;
    });
    await this.#asking;
    return this.#now(receipt);
  }

  /** The next answer may come from another server. */
  forget(): void {
    this.#askedAt = -Infinity;
    this.#aheadMs = [];
  }

  /** No message is stored later than now. */
  #now({ storedAt }: Receipt): number {
    return Math.max(storedAt, performance.now() + Math.max(...this.#aheadMs));
  }

  async #ask({ stream, consumer }: Receipt): Promise<void> {
    const said = await this.#streams.timeAt(stream, consumer);
    const now = performance.now();
    // The server that leads the consumer now has handed out nothing yet
    if (said === undefined)
      throw new QueueUnavailableError('the server has not said its time', 'NotExecuted');
    const aheadMs = said - now;
    const before = this.#aheadMs.filter(each => each < aheadMs + slowMs);
    this.#aheadMs = [...before, aheadMs].slice(-answers);
    this.#askedAt = now;
  }
}
