import { Backoff, type Clock } from '@ashlar/core';
import { channels } from '../diagnostics.ts';
import { OutcomeUnknownError } from '../errors.ts';
import type { Connection } from '../server.ts';
import type { Watch } from '../watching/watch.ts';
import type { Watched } from '../watching/watched.ts';
import type { Call } from './call.ts';
import type { Pools } from './pools.ts';

/** Milliseconds that a server has to make a connection, for work that another server may do. */
const connectMs = 2_000;

export type Work<C, T> = (client: C) => Promise<T>;

/** The work was not executed, and may run again. */
export class NotRun<C> extends Error {
  readonly watched: Watched<C>;

  constructor(watched: Watched<C>, cause: unknown) {
    super('the work was not executed', { cause });
    this.watched = watched;
  }
}

/** Lends connections to work, and tells what a failure means. */
export class Runner<C> {
  readonly #set: string;
  readonly #pools: Pools<C>;
  readonly #watch: Watch<C>;
  readonly #clock: Clock;

  constructor(set: string, pools: Pools<C>, watch: Watch<C>, clock: Clock) {
    this.#set = set;
    this.#pools = pools;
    this.#watch = watch;
    this.#clock = clock;
  }

  /**
   * Lends a connection of the server. It is given back, or ended when it is not fit for others, the call is over, or the
   * server is down and the work is a read, which another can do. Work that may have changed something is waited for: the
   * server may only be slow. Rejects with NotRun when no connection was to be had.
   */
  async lend<T>(call: Call, watched: Watched<C>, use: (connection: Connection<C>) => Promise<T>): Promise<T> {
    const connection = this.#pools.acquireIdle(watched) ?? (await this.#acquire(call, watched));
    let released = false;
    const links: (() => void)[] = [];
    const release = (error?: Error) => {
      if (released) return;
      released = true;
      for (const unlink of links) unlink();
      connection.release(error);
    };
    const giveUp = (reason: unknown) => release(new Error('the work was given up', { cause: reason }));
    links.push(call.onOver(giveUp));
    if (call.operation === 'read') links.push(watched.onDown(giveUp));
    call.throwIfOver();
    try {
      const result = await use(connection);
      release(connection.progress.lost);
      return result;
    } catch (error) {
      const { isRefused, lost } = connection.progress;
      // The next one may lead to a server that is primary, or to a session that may write
      release(lost ?? (isRefused ? new Error('the server has refused to write') : undefined));
      throw error;
    }
  }

  async #acquire(call: Call, watched: Watched<C>): Promise<Connection<C>> {
    const ending = new AbortController();
    const giveUp = (reason: unknown) => ending.abort(reason);
    const links = [call.onOver(giveUp), watched.onDown(giveUp)];
    const waiting = new AbortController();
    let isTimed = false;
    const connecting = () => {
      if (isTimed || !call.mayGoElsewhere) return;
      isTimed = true;
      const late = new Error(`${watched.id} has made no connection within ${connectMs} ms`);
      this.#clock.sleep(connectMs, waiting.signal).then(
        () => giveUp(late),
        () => {},
      );
    };
    try {
      return await this.#pools.acquire(watched, ending.signal, connecting);
    } catch (error) {
      call.throwIfOver();
      throw new NotRun(watched, error);
    } finally {
      waiting.abort();
      for (const unlink of links) unlink();
    }
  }

  /**
   * Repeats the attempt until it succeeds, fails for good or the call is over: at once after the first failure, then after
   * pauses that grow. The server of a failed attempt is looked at meanwhile.
   */
  async untilRun<T>(call: Call, attempt: () => Promise<T>): Promise<T> {
    const backoff = new Backoff({ firstMs: 5, maxMs: 200 });
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        if (!(error instanceof NotRun)) throw error;
        call.throwIfOver();
        this.#watch.throwIfStopped();
        call.lastError = error.cause;
        this.#watch.suspect(error.watched);
        if (channels.retry.hasSubscribers) {
          const { operation } = call;
          const server: string = error.watched.id;
          channels.retry.publish({ set: this.#set, operation, server, error: error.cause });
        }
        const pauseMs = backoff.nextMs();
        if (backoff.failures > 1) await this.#clock.sleep(pauseMs, call.signal);
      }
    }
  }
}

/** Throws what the failure of work means that commits as it goes. */
export function rethrow<C>(
  error: unknown,
  connection: Connection<C>,
  watched: Watched<C>,
  call: Call,
): never {
  const { executed, inDoubt, isRefused, lost } = connection.progress;
  if (executed === 0 && isRefused) throw new NotRun(watched, error);
  if (lost === undefined) throw error;
  call.throwIfOver();
  if (executed === 0 && !inDoubt) throw new NotRun(watched, lost);
  throw new OutcomeUnknownError(`the connection was lost before the ${call.operation} was over`, {
    cause: error,
  });
}
