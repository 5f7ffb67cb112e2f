import { abortable, withoutCredentials } from '@ashlar/core';
import { Arrivals } from '../arrivals.ts';
import type { RedisClientLike } from './client-like.ts';
import { isInability, isRefusal, isReply } from './replies.ts';

/** The part of a command of ioredis that is used. */
interface SentCommand {
  readonly name: string;
  readonly promise: Promise<unknown>;
}

/** After these, the connection means something else for whoever gets it next. */
const lasting = new Set([
  'select',
  'auth',
  'hello',
  'reset',
  'client',
  'monitor',
  'readonly',
  'readwrite',
  'asking',
  'subscribe',
  'psubscribe',
  'ssubscribe',
  'quit',
]);
const endsWatch = new Set(['exec', 'discard', 'unwatch']);

/**
 * One connection of ioredis, and how far the server has come with what was sent on it: seen where every command passes, so
 * that it holds for pipelines and transactions as well.
 */
export class Wire<C extends RedisClientLike> {
  readonly client: C;
  readonly #arrivals = new Arrivals();
  /** Commands that the server says it has executed. */
  executed = 0;
  /** Whether MULTI was answered, and nothing that ends it. */
  isInTransaction = false;
  /** Whether the end of one was sent. */
  hasEnded = false;
  /** Why a transaction will be refused: the first error of a command that was to be queued. */
  queueError: Error | undefined;
  /** It refused a command as in `isRefusal`. */
  isRefused = false;
  /** It had no data to read. */
  isUnable = false;
  lost: Error | undefined;
  #waiting = 0;
  #isChanged = false;
  #isWatching = false;
  #lastError: Error | undefined;
  #onLost: (reason: Error) => void = () => {};

  /** @param client not connected */
  private constructor(client: C) {
    this.client = client;
    client.on('error', (error: Error) => {
      this.#lastError = withoutCredentials(error);
    });
    const ended = () => this.lose(this.#lastError ?? new Error('the server has ended the connection'));
    client.on('close', ended);
    client.on('end', ended);
    this.#observe();
  }

  /** Connects; resolves when the server has answered, and rejects when it refuses. */
  static async connect<C extends RedisClientLike>(client: C, signal: AbortSignal): Promise<Wire<C>> {
    const wire = new Wire(client);
    const onAbort = () => wire.lose(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await abortable(
        client.connect().then(() => client.call('PING')),
        signal,
      );
      wire.lend();
      return wire;
    } catch (error) {
      wire.lose(error as Error);
      throw withoutCredentials(wire.#lastError ?? error);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Whether something was sent and not answered. */
  get isWaiting(): boolean {
    return this.#waiting > 0;
  }

  /** Whether another can use the connection as if it were new. */
  get isClean(): boolean {
    return !(this.isWaiting || this.isInTransaction || this.#isChanged || this.#isWatching);
  }

  /** Calls the listener once, when the connection is lost. */
  onLost(listener: (reason: Error) => void): void {
    this.#onLost = listener;
  }

  /** Begins to count anew, for other work. */
  lend(): void {
    this.executed = 0;
    this.isRefused = false;
    this.isUnable = false;
    this.hasEnded = false;
    this.#isChanged = false;
  }

  /** Lies idle until it wakes, and keeps no process alive. */
  rest(): void {
    this.lend();
    this.#arrivals.rest();
    this.client.stream?.unref?.();
  }

  /** Resolves when all that has arrived is seen; undefined when nothing can have. */
  wake(): Promise<void> | undefined {
    this.client.stream?.ref?.();
    return this.#arrivals.seen();
  }

  /** Ends the connection at once; what is in flight fails. */
  lose(reason: Error): void {
    if (this.lost !== undefined) return;
    this.lost = reason;
    this.client.disconnect();
    // It has no server to say goodbye to, and who waits for an answer must know
    this.client.stream?.destroy();
    this.#onLost(reason);
  }

  #observe(): void {
    const { client } = this;
    const send = client.sendCommand.bind(client);
    Object.assign(client, {
      sendCommand: (command: SentCommand, ...rest: unknown[]) => {
        if (this.lost === undefined) this.#sent(command);
        return send(command, ...rest);
      },
    });
  }

  #sent({ name, promise }: SentCommand): void {
    const command = name.toLowerCase();
    if (lasting.has(command)) this.#isChanged = true;
    if (command === 'watch') this.#isWatching = true;
    if (command === 'exec' || command === 'discard') this.hasEnded = true; // also when its answer is lost
    this.#waiting++;
    const answered = () => {
      this.#waiting--;
      if (command === 'multi') this.queueError = undefined;
      if (endsWatch.has(command)) this.#isWatching = false;
      if (command === 'exec' || command === 'discard') this.isInTransaction = false;
    };
    promise.then(
      reply => {
        answered();
        if (command === 'multi') this.isInTransaction = true;
        else if (!(this.isInTransaction && isQueued(reply))) this.executed++;
      },
      error => {
        if (isReply(error) || isUnsent(error)) answered();
        if (isRefusal(error)) this.isRefused = true;
        if (isInability(error)) this.isUnable = true;
        if (!isReply(error)) this.lose(error as Error);
        else if (this.isInTransaction) this.queueError ??= error;
      },
    );
  }
}

/** ioredis itself has refused it: the connection had ended, and its event had not come yet. */
function isUnsent(error: unknown): boolean {
  return error instanceof Error && /enableOfflineQueue|subscriber mode/.test(error.message);
}

function isQueued(reply: unknown): boolean {
  return String(reply) === 'QUEUED';
}
