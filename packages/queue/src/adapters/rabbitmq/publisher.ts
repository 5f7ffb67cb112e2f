import { sleep } from '@ashlar/core';
import type { ChannelModel, ConfirmChannel, Options } from 'amqplib';
import { QueueTimeoutError, QueueUnavailableError } from '../../errors.ts';
import { inTime } from '../in-time.ts';
import { frameMaxOf, guarded, hasNoNumber, type Link } from './link.ts';
import { checkHeaders, headerRoom, Oversized } from './oversized.ts';
import { typed } from './refusals.ts';

/** What became of a message: `unrouted` has reached no queue, `refused` was not taken by one of them. */
export type Confirmed = 'stored' | 'unrouted' | 'refused';

/** What is sent; its options are the publisher's to add to. */
export interface Sendable {
  readonly body: Buffer;
  readonly options: Options.Publish;
  /** Bytes that the headers of its later copies may have more. */
  readonly reserved: number;
}

/** A channel with confirms. */
interface Line {
  readonly channel: ConfirmChannel;
  /** Bytes that headers may have. */
  readonly room: number;
  /** The messages that came back, by their numbers. */
  readonly returned: Set<string>;
  /** Why RabbitMQ has closed it. */
  error: Error | undefined;
  /** The size of the message that was too large, once it was there. */
  tooLarge: number | undefined;
}

/** Milliseconds until a channel is asked for again where there was none. */
const freedAgainMs = 20;
const tooLarge = /message size (\d+) is larger than configured max size (\d+)/;

/** Publishes over one channel after the other, and waits for the confirms. */
export class Publisher {
  readonly #link: Link;
  readonly #timeoutMs: number;
  readonly #lost: () => void;
  readonly #unconfirmed = new Set<Promise<unknown>>();
  #line: Promise<Line> | undefined;
  /** Of `#line`, while it is open. */
  #ready: Line | undefined;
  #sent = 0;
  /** The connection of the last line. */
  #model: ChannelModel | undefined;
  /** The largest body that RabbitMQ takes over this connection, once it has refused one. */
  #maxBytes = Number.POSITIVE_INFINITY;

  /** @param lost called when a channel has ended: what was known to exist may not */
  constructor(link: Link, timeoutMs: number, lost: () => void) {
    this.#link = link;
    this.#timeoutMs = timeoutMs;
    this.#lost = lost;
  }

  /**
   * Sends them in one turn of the event loop, and waits for all.
   *
   * @throws QueueUnavailableError, QueueClosedError when none was sent
   */
  async publish(
    exchange: string,
    key: string,
    batch: readonly Sendable[],
  ): Promise<readonly (Confirmed | Error)[]> {
    const line = this.#ready ?? (await this.#open());
    if (this.#link.blocked !== undefined) await this.#unblocked();
    const results = new Array<Confirmed | Error | undefined>(batch.length).fill(undefined);
    const confirming = this.#send(line, exchange, key, batch, results);
    this.#unconfirmed.add(confirming);
    try {
      await inTime(confirming, this.#timeoutMs, () => new QueueTimeoutError('RabbitMQ', this.#timeoutMs));
      return results as (Confirmed | Error)[];
    } catch (late) {
      return results.map(result => result ?? (late as Error));
    } finally {
      this.#unconfirmed.delete(confirming);
    }
  }

  /** Waits for what is not confirmed yet. */
  async drain(): Promise<void> {
    await inTime(Promise.allSettled(this.#unconfirmed), this.#timeoutMs, () => new Error('late')).catch(
      () => {},
    );
  }

  /** Resolves when there is a result for each. A promise for all, as one for each would cost as much as the rest. */
  #send(
    line: Line,
    exchange: string,
    key: string,
    batch: readonly Sendable[],
    results: (Confirmed | Error | undefined)[],
  ): Promise<void> {
    return new Promise(resolve => {
      let left = batch.length;
      if (left === 0) resolve();
      for (let index = 0; index < batch.length; index++) {
        const { body, options, reserved } = batch[index]!;
        const number = String(++this.#sent);
        options.correlationId = number;
        try {
          if (body.byteLength > this.#maxBytes) throw this.#isTooLarge(body.byteLength);
          checkHeaders(options, reserved, line.room);
          line.channel.publish(exchange, key, body, options, (error: Error | null) => {
            results[index] = this.#confirmed(line, number, error, body.byteLength);
            if (--left === 0) resolve();
          });
        } catch (error) {
          results[index] = error instanceof Oversized ? error : typed(error, 'NotExecuted');
          if (--left === 0) resolve();
        }
      }
    });
  }

  #confirmed(line: Line, number: string, error: Error | null, bytes: number): Confirmed | Error {
    const isReturned = line.returned.delete(number);
    if (error === null) return isReturned ? 'unrouted' : 'stored';
    return error.message === 'message nacked' ? 'refused' : this.#failure(line, error, bytes);
  }

  /** Those before the one that was too large may have been stored; RabbitMQ has heeded none after it. */
  #failure(line: Line, error: Error, bytes: number): Error {
    const cause = line.error ?? error;
    const found = tooLarge.exec(cause.message);
    if (found === null) return unconfirmed(cause);
    this.#maxBytes = Number(found[2]);
    if (line.tooLarge === undefined && bytes === Number(found[1])) {
      line.tooLarge = bytes;
      return this.#isTooLarge(bytes, cause);
    }
    if (line.tooLarge === undefined) return unconfirmed(cause);
    const text = 'RabbitMQ has closed the channel because of an earlier message that is too large';
    return new QueueUnavailableError(text, 'NotExecuted', { cause });
  }

  #isTooLarge(bytes: number, cause?: unknown): Oversized {
    return new Oversized(`it has ${bytes} bytes, and RabbitMQ takes ${this.#maxBytes}`, { cause });
  }

  #open(): Promise<Line> {
    this.#line ??= this.#begin();
    return this.#link.soon(this.#line);
  }

  #begin(): Promise<Line> {
    const beginning = this.#channel(() => {
      if (this.#line === beginning) {
        this.#line = undefined;
        this.#ready = undefined;
      }
      this.#lost();
    });
    beginning.then(
      line => {
        if (this.#line === beginning) this.#ready = line;
      },
      () => {
        if (this.#line === beginning) this.#line = undefined;
      },
    );
    return beginning;
  }

  async #channel(closed: () => void): Promise<Line> {
    const model = await this.#link.model();
    // An operator may have raised it meanwhile
    if (model !== this.#model) this.#maxBytes = Number.POSITIVE_INFINITY;
    this.#model = model;
    try {
      const channel = guarded(await confirming(model));
      const room = headerRoom(frameMaxOf(model));
      const line: Line = { channel, room, returned: new Set(), error: undefined, tooLarge: undefined };
      channel.on('return', ({ properties }) => line.returned.add(String(properties.correlationId)));
      channel.on('error', error => {
        line.error = error;
      });
      channel.on('close', closed);
      return line;
    } catch (error) {
      throw typed(error, 'NotExecuted');
    }
  }

  async #unblocked(): Promise<void> {
    const { reason, over } = this.#link.blocked!;
    await inTime(over, this.#timeoutMs, () => {
      const text = `RabbitMQ has let nobody publish for ${this.#timeoutMs} ms: ${reason}`;
      return new QueueUnavailableError(text, 'NotExecuted');
    });
  }
}

/** Declarations have taken all numbers when there is none: they give them back within moments. */
async function confirming(model: ChannelModel): Promise<ConfirmChannel> {
  for (;;) {
    try {
      return await model.createConfirmChannel();
    } catch (error) {
      if (!hasNoNumber(error)) throw error;
      await sleep(freedAgainMs);
    }
  }
}

function unconfirmed(cause: Error): Error {
  return new QueueUnavailableError(`RabbitMQ: ${cause.message}`, 'Unknown', { cause });
}
