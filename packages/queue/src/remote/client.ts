import type { DeadLetter, DeadLetterPage, DeadLetterSelection } from '../dead-letters.ts';
import {
  type Capabilities,
  type ConsumeOptions,
  type Delivery,
  type Driver,
  type GroupStats,
  type Job,
  type OutgoingMessage,
  outcomeOf,
  type Published,
  type PublishSettings,
  refusal,
} from '../driver.ts';
import { InvalidPayloadError, QueueClosedError, QueueUnavailableError } from '../errors.ts';
import { batchParts, headersLength } from '../messages/batch-parts.ts';
import { Connection, type ConnectionParts } from './connection.ts';
import { fromWire } from './errors.ts';
import type { WirePublished } from './protocol.ts';
import { RemoteConsumer } from './remote-consumer.ts';

export interface RemoteParts<K extends Capabilities> extends ConnectionParts {
  readonly kind: string;
  readonly capabilities: K;
  /** Until the other side has said its own. */
  readonly leaseMs: number;
  /** The most bytes that wait for their confirmation. */
  readonly maxUnconfirmedBytes: number;
  /** The most bytes of the body of a message, and of its headers. Default: no limit. */
  readonly maxMessageBytes?: number;
}

/** How often a consumer asks whether its group is still there. */
const probeMs = 2_000;

/** A driver that another thread or process has. */
export class RemoteDriver<K extends Capabilities> implements Driver<K> {
  readonly kind: string;
  readonly capabilities: K;
  readonly #parts: RemoteParts<K>;
  readonly #connection: Connection;
  readonly #consumers = new Map<number, RemoteConsumer>();
  readonly #declared = new Map<string, readonly [topic: string, group: string]>();
  readonly #beat: ReturnType<typeof setInterval>;
  #lastConsumer = 0;
  #leaseMs: number;
  #unconfirmedBytes = 0;
  #isClosed = false;

  constructor(parts: RemoteParts<K>) {
    const { kind, capabilities, leaseMs } = parts;
    this.#parts = parts;
    this.kind = kind;
    this.capabilities = capabilities;
    this.#leaseMs = leaseMs;
    this.#connection = new Connection(parts, {
      durable: capabilities.durable,
      begun: leaseMs => this.#begin(leaseMs),
      resumed: () => this.#each(consumer => consumer.start()),
      lost: () => this.#each(consumer => consumer.lost()),
      failed: error => this.#each(consumer => consumer.fail(error)),
      delivered: ({ id, token, message, parts }) =>
        this.#consumers.get(id)?.receive(token, message, parts?.[0]),
      left: (id, error) => this.#consumers.get(id)?.left(error && this.#endOf(error)),
    });
    this.#beat = setInterval(() => this.#probeAll(), probeMs);
    this.#beat.unref?.();
  }

  get leaseMs(): number {
    return this.#leaseMs;
  }

  async declare(topic: string, group: string): Promise<void> {
    await this.#connection.call('declare', [topic, group], { repeats: 'always' });
    this.#declared.set(`${topic}\n${group}`, [topic, group]);
  }

  async publish(
    topic: string,
    batch: readonly OutgoingMessage[],
    settings: PublishSettings = {},
  ): Promise<readonly Published[]> {
    const { maxMessageBytes = Infinity } = this.#parts;
    const tooLarge = batch.map(message => largest(message) > maxMessageBytes);
    const taken = tooLarge.includes(true) ? batch.filter((_, index) => !tooLarge[index]) : batch;
    const parts = batchParts(taken).map(part => this.#publish(topic, part, settings));
    const published = (await Promise.all(parts)).flat();
    if (taken === batch) return published;
    const words = `its body or its headers have more than ${maxMessageBytes} bytes`;
    let next = 0;
    return tooLarge.map(is => (is ? refusal(new InvalidPayloadError(topic, [words])) : published[next++]!));
  }

  async *consume(topic: string, group: string, options: ConsumeOptions): AsyncGenerator<Delivery, void> {
    this.#connection.checkOpen();
    if (options.signal.aborted) return;
    const consumer = new RemoteConsumer(++this.#lastConsumer, topic, group, options, {
      leaseMs: () => this.#leaseMs,
      maxResultBytes: this.#parts.maxMessageBytes ?? Infinity,
      send: message => this.#connection.send(message),
      settle: message => this.#connection.settle(message),
    });
    this.#consumers.set(consumer.id, consumer);
    consumer.start();
    try {
      yield* consumer.deliveries();
    } finally {
      await consumer.leave(this.#parts.timeoutMs);
      this.#consumers.delete(consumer.id);
    }
  }

  async inspect(topic: string, group: string, page: DeadLetterPage): Promise<readonly DeadLetter[]> {
    const { result, parts = [] } = await this.#connection.call('inspect', [topic, group, page], {
      outcome: 'NotExecuted',
    });
    const letters = result as readonly Omit<DeadLetter, 'body'>[];
    return letters.map((letter, index) => ({ ...letter, body: parts[index] ?? new Uint8Array() }));
  }

  async redrive(topic: string, group: string, selection: DeadLetterSelection): Promise<number> {
    return (await this.#connection.call('redrive', [topic, group, selection])).result as number;
  }

  async purge(topic: string, group: string, selection: DeadLetterSelection): Promise<number> {
    return (await this.#connection.call('purge', [topic, group, selection])).result as number;
  }

  async stats(topic: string, group: string): Promise<GroupStats> {
    return (await this.#connection.call('stats', [topic, group], { outcome: 'NotExecuted' }))
      .result as GroupStats;
  }

  async probe(topic: string, group: string): Promise<void> {
    await this.#connection.call('probe', [topic, group], { outcome: 'NotExecuted' });
  }

  async find(topic: string, group: string, id: string): Promise<Job | undefined> {
    const { result, parts = [] } = await this.#connection.call('find', [topic, group, id], {
      outcome: 'NotExecuted',
    });
    if (result === undefined || result === null) return undefined;
    const { has, ...job } = result as Job & { has: { progress: boolean; result: boolean } };
    const [progress, value] = has.progress ? parts : [undefined, parts[0]];
    return { ...job, ...(progress && { progress }), ...(has.result && { result: value }) };
  }

  async cancel(topic: string, group: string, id: string): Promise<boolean> {
    return (await this.#connection.call('cancel', [topic, group, id])).result as boolean;
  }

  async pause(topic: string, group: string): Promise<void> {
    await this.#connection.call('pause', [topic, group], { repeats: 'always' });
  }

  async resume(topic: string, group: string): Promise<void> {
    await this.#connection.call('resume', [topic, group], { repeats: 'always' });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#beat);
    const { server } = this.#parts;
    this.#each(consumer => consumer.fail(new QueueClosedError(server)));
    this.#connection.close();
  }

  async #publish(
    topic: string,
    batch: readonly OutgoingMessage[],
    { allowUnrouted }: PublishSettings,
  ): Promise<readonly Published[]> {
    // What the caller changes afterwards is not published: the way there may be long
    const parts = batch.map(({ body }) => new Uint8Array(body));
    const bytes = parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
    const messages = batch.map(({ body: _, ...rest }) => rest);
    const { server, maxUnconfirmedBytes } = this.#parts;
    this.#unconfirmedBytes += bytes;
    try {
      const others = this.#unconfirmedBytes - bytes;
      if (others > 0 && this.#unconfirmedBytes > maxUnconfirmedBytes) {
        const words = `${server} has not yet confirmed ${others} bytes, and no more may be on their way`;
        throw new QueueUnavailableError(words, 'NotExecuted');
      }
      // Alone: a queue gives the name of each setting, and a port keeps those without a value
      const settings = { allowUnrouted };
      const { result } = await this.#connection.call('publish', [topic, messages, settings], {
        repeats: 'always',
        parts,
      });
      return (result as readonly WirePublished[]).map(each =>
        each.ok ? each : { ...each, error: fromWire(each.error, server) },
      );
    } catch (error) {
      return batch.map(() => ({ ok: false, outcome: outcomeOf(error), error: error as Error }));
    } finally {
      this.#unconfirmedBytes -= bytes;
    }
  }

  #begin(leaseMs: number | undefined): void {
    this.#leaseMs = leaseMs ?? this.#leaseMs;
    // A broker without a log has forgotten them with its life
    if (this.capabilities.durable) return;
    for (const pair of this.#declared.values()) {
      this.#connection.call('declare', pair, { repeats: 'always' }).catch(() => {}); // Consuming says so
    }
  }

  /** Of a consumer. Over another channel there may be another broker, which is open. */
  #endOf(error: Error): Error {
    const isPassing = this.#parts.reopens && error instanceof QueueClosedError;
    return isPassing ? new QueueUnavailableError(error.message, error.outcome, { cause: error }) : error;
  }

  #each(visit: (consumer: RemoteConsumer) => void): void {
    for (const consumer of this.#consumers.values()) visit(consumer);
  }

  #probeAll(): void {
    this.#connection.retryRefused();
    if (!this.#connection.isReady) return;
    this.#each(consumer => {
      const { topic, group } = consumer;
      this.probe(topic, group).then(
        () => consumer.alive(),
        error => consumer.doubt(error),
      );
    });
  }
}

/** Bytes of the body, or of the headers as they are written where those may be too many. */
function largest(message: OutgoingMessage): number {
  const length = headersLength(message);
  const written = length < 2 ** 20 ? length : Buffer.byteLength(JSON.stringify(message.headers));
  return Math.max(message.body.byteLength, written);
}
