import { abortable } from '@ashlar/core';
import { Arrivals } from '../arrivals.ts';
import type { PgClientLike, ServerMessage, WireLike } from './client-like.ts';
import { outlastsItsCall } from './lasting.ts';
import { SessionSettings } from './session-settings.ts';

/** Codes of a server that ends the session, whatever its language calls that: shut down, crashed, idle for too long. */
const ending = new Set(['57P01', '57P02', '57P03', '57P04', '57P05', '25P03']);

/**
 * One connection of `pg`, and how far the server has come with what was sent on it: read from the protocol itself, so that
 * it holds for whatever sends statements through the client: an ORM, a cursor, a query builder.
 */
export class Wire<C extends PgClientLike> {
  readonly client: C;
  readonly #connection: WireLike;
  readonly #arrivals = new Arrivals();
  /** Statements that the server says it has executed. */
  executed = 0;
  /** The synchronous wait of a commit was ended: it is executed here, and acknowledged by nobody. */
  isUnacknowledged = false;
  /** It refused a statement as it is no primary, whatever the work has made of that error. */
  isRefused = false;
  /** It has canceled a read that stood in the way of its replay. */
  isUnable = false;
  /** Whoever gets the connection next would find it otherwise than new. */
  isChanged = false;
  /** `I` outside of a transaction, `T` in one, `E` in one that has failed. */
  transactionStatus: 'I' | 'T' | 'E' = 'I';
  /** A transaction has ended, by whatever statement. */
  hasEnded = false;
  lost: Error | undefined;
  readonly settings: SessionSettings = new SessionSettings();
  /** Whether the client was given settings of its own before it was ours. */
  hasOwnSettings = false;
  #sent = 0;
  /** The client's own. */
  #query: (text: string) => unknown = () => {};
  #onLost: (reason: Error) => void = () => {};

  /** @param client not connected, and seen to have a connection */
  private constructor(client: C) {
    this.client = client;
    this.#connection = client.connection as WireLike;
    client.on('error', (error: Error) => this.lose(error));
    client.on('end', () => this.lose(new Error('the server has ended the connection')));
    client.on('notice', (notice: ServerMessage) => {
      // As sent when a backend that waits for standbys is canceled or ended
      if (notice.code === '01000' && notice.routine === 'SyncRepWaitForLSN') this.isUnacknowledged = true;
    });
  }

  /** Connects; resolves when the connection has answered the statement. @param setup the first statement */
  static async connect<C extends PgClientLike>(
    client: C,
    setup: string,
    signal: AbortSignal,
  ): Promise<Wire<C>> {
    const wire = new Wire(client);
    const connection = wire.#connection;
    connection.on('commandComplete', ({ text }: { text: string }) => {
      wire.executed++;
      if (text === 'COMMIT') wire.hasEnded = true; // another may have begun by the end of the message
      wire.settings.executed(text);
    });
    connection.on('readyForQuery', ({ status }: { status: 'I' | 'T' | 'E' }) => {
      wire.#sent = Math.max(0, wire.#sent - 1);
      wire.transactionStatus = status;
      if (status === 'I') wire.hasEnded = true;
      if (wire.#sent === 0) wire.settings.answered();
    });
    // A server that ends says so before it closes the connection: what waits for an answer has failed by then
    connection.on('errorMessage', (error: ServerMessage & Error) => {
      if (isRefusal(error)) wire.isRefused = true;
      if (isConflict(error)) wire.isUnable = true;
      // It would fail each time here, and on a new connection it does not
      if (isOutdated(error)) wire.isChanged = true;
      if (error.severity === 'FATAL' || error.severity === 'PANIC' || ending.has(error.code ?? ''))
        wire.lose(error);
    });
    const onAbort = () => wire.lose(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const connected = client.connect().then(() => client.query(setup));
      await abortable(connected, signal);
      wire.#countWhatIsSent();
      wire.hasOwnSettings = wire.settings.isChanged;
      wire.settings.forget();
      return wire;
    } catch (error) {
      wire.lose(error as Error);
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Whether something was sent and not answered. */
  get isWaiting(): boolean {
    return this.#sent > 0;
  }

  /** Calls the listener once, when the connection is lost. */
  onLost(listener: (reason: Error) => void): void {
    this.#onLost = listener;
  }

  /** Begins to count anew, for other work. */
  lend(): void {
    this.executed = 0;
    this.isUnacknowledged = false;
    this.isRefused = false;
    this.isUnable = false;
    this.isChanged = false;
  }

  /** Lies idle until it wakes, and keeps no process alive. */
  rest(): void {
    this.lend();
    this.#arrivals.rest();
    this.#connection.stream.unref?.();
  }

  /** Resolves when all that has arrived is seen; undefined when nothing can have. */
  wake(): Promise<void> | undefined {
    this.#connection.stream.ref?.();
    return this.#arrivals.seen();
  }

  /** Ends the connection at once; what is in flight fails. */
  lose(reason: Error): void {
    if (this.lost !== undefined) return;
    this.lost = reason;
    this.#connection.stream.destroy();
    // Takes back what the client holds; it has no server to say goodbye to
    this.client.end().catch(() => {});
    this.#onLost(reason);
  }

  /** As the client's `query`, of a statement of ours: what it leaves on the session is known to be nothing. */
  ask(text: string): ReturnType<C['query']> {
    this.#sent++;
    return this.#query(text) as ReturnType<C['query']>;
  }

  /** Each statement is answered by one ReadyForQuery, whatever it is and whoever sends it. */
  #countWhatIsSent(): void {
    const { client } = this;
    const query = client.query.bind(client) as (...parameters: unknown[]) => unknown;
    this.#query = query;
    Object.assign(client, {
      query: (...parameters: unknown[]) => {
        this.#sent++;
        const text = textOf(parameters[0]);
        this.isChanged ||= outlastsItsCall(text);
        this.settings.sent(text);
        return query(...parameters);
      },
    });
  }
}

/** Something was to write where nothing may: the server has not begun it. */
export function isRefusal(error: unknown): boolean {
  return (error as ServerMessage | null | undefined)?.code === '25006';
}

/** The other errors with this code, of transactions that cannot be serialized, come from other files of the server. */
function isConflict({ code, file }: ServerMessage): boolean {
  return code === '40001' && file === 'postgres.c';
}

/** A named statement was prepared before the columns of its tables changed: "cached plan must not change result type". */
function isOutdated({ code, routine }: ServerMessage): boolean {
  return code === '0A000' && routine === 'RevalidateCachedQuery';
}

/** As text, or as an object with it: a query of its own class may have none. */
function textOf(query: unknown): string | undefined {
  const text: unknown =
    typeof query === 'object' && query !== null ? (query as { text?: unknown }).text : query;
  return typeof text === 'string' ? text : undefined;
}
