import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import { createInbox } from '#nats';

const encoder = new TextEncoder();
/** How long a request that was refused counts as open. */
const refusedMs = 50;

/** What ends a request for messages other than its last message: `404` none, `408` time, `409` the consumer, `503` nobody. */
export type PullEnd = 'done' | 'none' | 'gone' | 'cut';

/** One request for messages at a time, at one consumer of JetStream. */
export class Puller {
  /** Places that the open request may still fill. */
  open = 0;
  readonly #connection: NatsConnection;
  readonly #subject: string;
  #inbox = '';
  #subscription: Subscription;
  readonly #received: (message: Msg) => void;
  readonly #ended: (end: PullEnd) => void;
  #request = 0;
  /** For how many messages one request may ask: an operator may set it (`max_request_batch`). */
  #most = Infinity;
  #timer: NodeJS.Timeout | undefined;

  /** @param subject where the consumer takes requests */
  constructor(
    connection: NatsConnection,
    subject: string,
    received: (message: Msg) => void,
    ended: (end: PullEnd) => void,
  ) {
    this.#connection = connection;
    this.#subject = subject;
    this.#received = received;
    this.#ended = ended;
    this.#subscription = this.#subscribe();
  }

  /** Asks for so many; waits for them so long, or not at all. */
  ask(batch: number, waitMs: number): void {
    this.open = Math.min(batch, this.#most);
    this.#request++;
    const how = waitMs > 0 ? { expires: Math.round(waitMs * 1e6) } : { no_wait: true };
    const reply = `${this.#inbox}.${this.#request}`;
    // JetStream does not answer for a consumer that is gone
    this.#timer = setTimeout(() => this.#end('gone'), waitMs + 1_000);
    this.#timer.unref();
    try {
      const request = encoder.encode(JSON.stringify({ batch: this.open, ...how }));
      this.#connection.publish(this.#subject, request, { reply });
    } catch {
      setImmediate(() => this.#end('cut'));
    }
  }

  /** Takes back what was asked for; what is on its way comes still. */
  async cancel(): Promise<void> {
    if (this.open === 0) return;
    const open = this.#subscription;
    this.#subscription = this.#subscribe();
    await open.drain().catch(() => {});
    if (this.open > 0) this.#end('cut');
  }

  /** What was asked for before is not waited for: the server may fill that request after it is asked again. */
  cut(): void {
    if (this.open === 0) return;
    this.#subscription.unsubscribe();
    this.#subscription = this.#subscribe();
    this.#end('cut');
  }

  /** Resolves when nothing comes any more. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#subscription.drain().catch(() => {});
    this.open = 0;
  }

  #subscribe(): Subscription {
    this.#inbox = createInbox();
    return this.#connection.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (error === null) this.#take(message);
      },
    });
  }

  #take(message: Msg): void {
    // The headers of a message are not read here: reading them costs more than all else
    if (message.reply?.startsWith('$JS.ACK.')) {
      this.#received(message);
      if (this.open > 0 && --this.open === 0) this.#end('done');
      return;
    }
    const { code = 0, description = '' } = message.headers ?? {};
    if (!message.subject.endsWith(`.${this.#request}`) || code === 100) return;
    const most = code === 409 ? /MaxRequestBatch of (\d+)/.exec(description) : null;
    if (most !== null) this.#most = Number(most[1]);
    if (code === 404 || code === 408) this.#end('none');
    else if (most !== null) this.#end('cut');
    else this.#refused(code === 409 && !/deleted/i.test(description) ? 'cut' : 'gone');
  }

  /** Asked again at once, the server would say the same. */
  #refused(end: PullEnd): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#end(end), refusedMs);
    this.#timer.unref();
  }

  #end(end: PullEnd): void {
    clearTimeout(this.#timer);
    this.open = 0;
    this.#ended(end);
  }
}
