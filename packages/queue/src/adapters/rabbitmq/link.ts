import type { Socket } from 'node:net';
import { sleep } from '@ashlar/core';
import type { Channel, ChannelModel } from 'amqplib';
import { connect } from '#amqplib';
import { QueueClosedError, QueueTimeoutError, QueueUnavailableError } from '../../errors.ts';
import { inTime } from '../in-time.ts';
import { gather } from './gather.ts';
import { isRefusal, refusedConnection, typed } from './refusals.ts';

export interface LinkSettings {
  /** The addresses, asked for before each connection. */
  urls(): Promise<readonly string[]>;
  readonly socket: object;
  readonly heartbeatMs: number;
  readonly timeoutMs: number;
  /** Called with each new connection, before it is used. */
  prepare(model: ChannelModel): Promise<void>;
}

const firstPauseMs = 100;
const longestPauseMs = 1_000;
/** Milliseconds that the last bytes of a connection have to leave. */
const lingerMs = 1_000;

/** One connection, opened when it is needed and again whenever it was lost, at the next host each time. */
export class Link {
  readonly #settings: LinkSettings;
  readonly #closing = new AbortController();
  #connecting: Promise<ChannelModel> | undefined;
  #model: ChannelModel | undefined;
  /** Of channels: until they are closed. */
  readonly #ending = new Set<Promise<void>>();
  #host = 0;
  #pauseMs = 0;
  /** Why the last attempt to connect has failed. */
  #failure: Error | undefined;
  #blocked: { readonly reason: string; readonly over: Promise<void> } | undefined;
  /** Further connections, which close with this one. */
  readonly #further = new Map<string, Link>();

  constructor(settings: LinkSettings) {
    this.#settings = settings;
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Why RabbitMQ reads nothing of this connection at present, and until when. It does that to those that publish. */
  get blocked(): { readonly reason: string; readonly over: Promise<void> } | undefined {
    return this.#blocked;
  }

  /** The connection, when there is one. Rejects when RabbitMQ refuses it. */
  async model(): Promise<ChannelModel> {
    if (this.isClosed) throw new QueueClosedError('the rabbitmq driver');
    this.#connecting ??= this.#connect();
    return this.#connecting;
  }

  /** Rejects when the work is not done in time, which says why when there is no connection. */
  soon<T>(work: Promise<T>): Promise<T> {
    const { timeoutMs } = this.#settings;
    return inTime(work, timeoutMs, () => {
      if (this.#model !== undefined) return new QueueTimeoutError('RabbitMQ', timeoutMs, 'NotExecuted');
      const why = this.#failure === undefined ? '' : `: ${this.#failure.message}`;
      const text = `there was no connection to RabbitMQ within ${timeoutMs} ms${why}`;
      return new QueueUnavailableError(text, 'NotExecuted', { cause: this.#failure?.cause });
    });
  }

  /** A channel of its own for one use, which is the caller's to close; over another connection when this one has too many. */
  async channel(): Promise<Channel> {
    const opening = this.model().then(async model => guarded(await model.createChannel()));
    try {
      return await this.soon(opening);
    } catch (error) {
      opening.then(channel => channel.close()).catch(() => {}); // It came too late
      if (!hasNoNumber(error)) throw typed(error, 'NotExecuted');
    }
    return this.apart('').channel();
  }

  /** A further connection by that name: what ends it, ends no other. */
  apart(name: string): Link {
    if (this.isClosed) throw new QueueClosedError('the rabbitmq driver');
    const found = this.#further.get(name) ?? new Link(this.#settings);
    this.#further.set(name, found);
    return found;
  }

  /** Work on a channel of its own: what RabbitMQ refuses there, closes no other. */
  async aside<T>(work: (channel: Channel) => Promise<T>, outcome: 'NotExecuted' | 'Unknown'): Promise<T> {
    const channel = await this.channel();
    try {
      return await inTime(work(channel), this.#settings.timeoutMs, () => {
        return new QueueTimeoutError('RabbitMQ', this.#settings.timeoutMs, outcome);
      });
    } catch (error) {
      throw typed(error, outcome);
    } finally {
      channel.close().catch(() => {}); // RabbitMQ has closed it, and the error says why
    }
  }

  /** Closes a channel. The connection ends after it: amqplib would send that first, and what was acknowledged last never. */
  end(channel: Channel): void {
    const ending = new Promise<void>(resolve => {
      channel.once('close', resolve); // Also when its connection is lost
      channel.close().then(resolve, resolve);
    });
    this.#ending.add(ending);
    void ending.then(() => this.#ending.delete(ending));
  }

  /** Ends the connection: RabbitMQ requeues what is unsettled. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    this.#closing.abort();
    await inTime(Promise.all(this.#ending), this.#settings.timeoutMs, () => new Error('late')).catch(
      () => {},
    );
    const further = [...this.#further.values()].map(link => link.close());
    const [model] = await Promise.all([this.#connecting?.catch(() => undefined), ...further]);
    if (model === undefined) return;
    // It may be gone already, or never answer
    await inTime(model.close(), this.#settings.timeoutMs, () => new Error('late')).catch(() => {});
    socketOf(model).destroy();
  }

  #connect(): Promise<ChannelModel> {
    const connecting = this.#attempts().catch(error => {
      if (this.#connecting === connecting) this.#connecting = undefined;
      throw error;
    });
    connecting.catch(() => {}); // Those who wait are told, and there may be none
    return connecting;
  }

  async #attempts(): Promise<ChannelModel> {
    for (let refusals = 0; ; ) {
      // Also between the calls that are refused one after the other
      await sleep(this.#pauseMs * (0.5 + Math.random() / 2), this.#closing.signal).catch(() => {});
      if (this.isClosed) throw new QueueClosedError('the rabbitmq driver');
      this.#pauseMs = Math.min(Math.max(firstPauseMs, this.#pauseMs * 2), longestPauseMs);
      let hosts = 1;
      try {
        const urls = await this.#settings.urls();
        hosts = urls.length;
        const model = await this.#open(new URL(urls[this.#host++ % hosts]!));
        this.#pauseMs = 0;
        return model;
      } catch (error) {
        this.#failure = typed(error, 'NotExecuted');
        if (isRefusal(error) && ++refusals >= hosts) throw this.#failure;
      }
    }
  }

  async #open(url: URL): Promise<ChannelModel> {
    const { socket, heartbeatMs, timeoutMs, prepare } = this.#settings;
    if (!url.searchParams.has('heartbeat')) {
      url.searchParams.set('heartbeat', String(Math.max(1, Math.round(heartbeatMs / 1_000))));
    }
    const model = await connect(url.href, { timeout: timeoutMs, noDelay: true, ...socket }).catch(error => {
      throw refusedConnection(error, url);
    });
    model.on('error', () => {}); // 'close' follows
    gather(socketOf(model));
    let isOver = false;
    model.on('close', () => {
      isOver = true;
      this.#lost(model);
    });
    this.#watch(model);
    try {
      await prepare(model);
    } catch (error) {
      model.close().catch(() => {});
      throw error;
    }
    if (isOver) throw new Error('the connection was lost while it was prepared');
    this.#model = model;
    this.#failure = undefined;
    return model;
  }

  #lost(model: ChannelModel): void {
    // amqplib ends a socket, and what a dead peer never takes would keep the process alive
    const socket = socketOf(model);
    setTimeout(() => socket.destroy(), lingerMs).unref();
    if (this.#model !== model) return;
    this.#model = undefined;
    if (!this.isClosed) this.#connecting = undefined;
  }

  #watch(model: ChannelModel): void {
    let unblock = () => {};
    model.on('blocked', reason => {
      const over = new Promise<void>(resolve => {
        unblock = resolve;
      });
      this.#blocked = { reason, over };
    });
    const free = () => {
      this.#blocked = undefined;
      unblock();
    };
    model.on('unblocked', free);
    model.on('close', free);
  }
}

/** Errors of a channel reach its calls; without a listener, they would end the process. */
export function guarded<C extends Channel>(channel: C): C {
  channel.on('error', () => {});
  return channel;
}

/** RabbitMQ's `channel_max` is a bound for each connection. */
export function hasNoNumber(error: unknown): boolean {
  return error instanceof Error && error.message === 'No channels left to allocate';
}

/** What amqplib keeps of its connections, and its types leave out. */
interface Streaming {
  readonly stream: Socket;
  /** Bytes; 0 is no bound. */
  readonly frameMax: number;
}

function socketOf(model: ChannelModel): Streaming['stream'] {
  return (model.connection as unknown as Streaming).stream;
}

/** The most bytes of a frame that RabbitMQ takes over this connection; 0 when it has no bound. */
export function frameMaxOf(model: ChannelModel): number {
  return (model.connection as unknown as Streaming).frameMax;
}
