import { QueueClosedError, QueueTimeoutError, QueueUnavailableError } from '../errors.ts';
import { type Answer, type Call, Calls, type Repeats } from './calls.ts';
import { fromWire } from './errors.ts';
import {
  type Channel,
  type ClientMessage,
  type Operation,
  protocolVersion,
  type ServerMessage,
  type SettleMessage,
} from './protocol.ts';

/** What a channel tells. Nothing more after `ended`. */
export interface ChannelEvents {
  received(message: ServerMessage): void;
  ended(error: Error): void;
}

export interface ConnectionParts {
  /** What messages call the other side: `the broker at tcp://…`. */
  readonly server: string;
  readonly timeoutMs: number;
  /** Whether another channel is opened when one has ended. */
  readonly reopens: boolean;
  open(events: ChannelEvents): Channel<ClientMessage>;
  /** Why there is no answer, as far as is known. */
  trouble?(): Error | undefined;
  /** Whether calls wait for an answer, so that the process may have to stay alive. */
  waits?(isWaiting: boolean): void;
}

/** Who uses a connection. */
export interface ConnectionUser {
  /** Whether messages outlive the other side's process. */
  readonly durable: boolean;
  /** The other side is there. Nothing was sent to it yet. */
  begun(leaseMs: number | undefined): void;
  /** It was sent the calls that wait for an answer. */
  resumed(): void;
  /** The channel has ended, and another is opened. */
  lost(): void;
  /** There is no way to the other side any more, or it refuses to speak with this one. */
  failed(error: Error): void;
  delivered(message: ServerMessage & { readonly type: 'delivery' }): void;
  left(consumer: number, error: Error | undefined): void;
}

interface CallSettings {
  /** What is known of it when it was sent and no answer has come. Default: `Unknown`. */
  readonly outcome?: 'NotExecuted' | 'Unknown';
  readonly repeats?: Repeats;
  readonly parts?: readonly Uint8Array[];
}

/** The way to another thread or process, over as many channels as it takes, and the calls that wait for their answers. */
export class Connection {
  readonly #parts: ConnectionParts;
  readonly #user: ConnectionUser;
  readonly #calls: Calls;
  #channel: Channel<ClientMessage> | undefined;
  #isReady = false;
  /** Why the other side does not speak with this one. */
  #refusal: Error | undefined;
  /** Why there will be no other channel. */
  #end: Error | undefined;
  #isClosed = false;

  constructor(parts: ConnectionParts, user: ConnectionUser) {
    this.#parts = parts;
    this.#user = user;
    this.#calls = new Calls(isWaiting => parts.waits?.(isWaiting));
    this.#openChannel();
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** @throws QueueTimeoutError, QueueUnavailableError, QueueClosedError, what the other side throws */
  async call(
    operation: Operation,
    args: readonly unknown[],
    {
      outcome = 'Unknown',
      repeats = outcome === 'NotExecuted' ? 'always' : 'never',
      parts,
    }: CallSettings = {},
  ): Promise<Answer> {
    this.checkOpen();
    const { timeoutMs } = this.#parts;
    return this.#calls.make(
      id => ({ type: 'call', id, operation, args, ...(parts && { parts }) }),
      { outcome, repeats, timeoutMs },
      call => this.#try(call),
      wasSent => {
        const cause = this.#parts.trouble?.();
        return new QueueTimeoutError(operation, timeoutMs, wasSent ? outcome : 'NotExecuted', { cause });
      },
    );
  }

  settle(message: SettleMessage): Promise<Answer> {
    return this.#calls.make(
      id => ({ ...message, id }),
      { repeats: 'always', timeoutMs: this.#parts.timeoutMs, outcome: 'Unknown' },
      call => this.#try(call),
    );
  }

  /** Nothing answers it; without a channel it is dropped, as the next begins anew. */
  send(message: ClientMessage): void {
    if (this.#isReady) this.#channel?.send(message);
  }

  /** One that was refused may speak with a newer one: it is asked again. */
  retryRefused(): void {
    if (this.#refusal !== undefined) this.#greet();
  }

  close(): void {
    this.#isClosed = true;
    const { server } = this.#parts;
    this.#calls.endAll(({ wasSent }) => new QueueClosedError(server, wasSent ? 'Unknown' : 'NotExecuted'));
    this.#channel?.close();
  }

  checkOpen(): void {
    const { server } = this.#parts;
    if (this.#isClosed) throw new QueueClosedError(server);
    if (this.#refusal !== undefined) throw this.#refusal;
    if (this.#end !== undefined) {
      throw new QueueClosedError(server, 'NotExecuted', this.#end.message);
    }
  }

  #openChannel(): void {
    let isOver = false;
    this.#channel = this.#parts.open({
      received: message => {
        if (!isOver && !this.#isClosed) this.#receive(message);
      },
      ended: error => {
        if (isOver || this.#isClosed) return;
        isOver = true;
        this.#lose(error);
      },
    });
    this.#greet();
  }

  #greet(): void {
    const { durable } = this.#user;
    this.#channel?.send({ type: 'hello', version: protocolVersion, durable });
  }

  #receive(message: ServerMessage): void {
    const { server } = this.#parts;
    switch (message.type) {
      case 'hello':
        this.#begin(message.leaseMs);
        break;
      case 'refused':
        this.#refused(fromWire(message.error, server));
        break;
      case 'reply': {
        const { id, error, result, parts } = message;
        if (error === undefined) this.#calls.resolve(id, { result, ...(parts && { parts }) });
        else this.#calls.reject(id, fromWire(error, server));
        break;
      }
      case 'delivery':
        this.#user.delivered(message);
        break;
      case 'left':
        this.#user.left(message.id, message.error && fromWire(message.error, server));
        break;
    }
  }

  #begin(leaseMs: number | undefined): void {
    this.#isReady = true;
    this.#refusal = undefined;
    this.#user.begun(leaseMs);
    this.#calls.each(call => this.#try(call));
    this.#user.resumed();
  }

  #lose(error: Error): void {
    this.#isReady = false;
    const { reopens, server } = this.#parts;
    if (reopens) {
      this.#calls.lost(
        outcome =>
          new QueueUnavailableError(`${server} is gone: ${error.message}`, outcome, { cause: error }),
      );
      this.#user.lost();
      this.#openChannel();
    } else {
      this.#end = error;
      const closed = (outcome: 'NotExecuted' | 'Unknown') =>
        new QueueClosedError(server, outcome, error.message);
      this.#calls.endAll(({ wasSent, outcome }) => closed(wasSent ? outcome : 'NotExecuted'));
      this.#user.failed(closed('NotExecuted'));
    }
  }

  /** It may be replaced, so that it is asked again. */
  #refused(error: Error): void {
    this.#refusal = error;
    this.#calls.endAll(() => error);
    this.#user.failed(error);
  }

  #try(call: Call): void {
    if (!this.#isReady) return;
    const isSettlement = call.message.type === 'settle';
    const message = isSettlement && call.wasSent ? { ...call.message, again: true } : call.message;
    call.wasSent = true;
    this.#channel?.send(message as ClientMessage);
  }
}
