import { objectWith, type Rule, refused, required, withDeadline } from '@ashlar/core';
import { QueueTimeoutError, TransactionEndedError } from '../errors.ts';
import { failed, stateOf } from './failures.ts';
import type { ColumnTypes } from './tables/column-types.ts';
import type { Row } from './transaction.ts';

/** The part of `pg`'s Pool that is used; `pg` 8.11 and later fits, and so does a wrapper of it. */
export interface PoolLike {
  connect(): Promise<PoolClientLike>;
  // One event each: the types of `pg` before 8.16 fit no two at once
  // biome-ignore lint/suspicious/noExplicitAny: as in `pg`, or its types would not fit
  on?(event: 'error', listener: (about: any) => void): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: the same
  on?(event: 'connect', listener: (about: any) => void): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: the same
  removeListener?(event: 'error' | 'connect', listener: (about: any) => void): unknown;
  readonly options?: { readonly max?: number | undefined };
}

/** A connection that is the borrower's until `release`: for others to use, or with `true` to be ended. */
export interface PoolClientLike {
  query(statement: {
    readonly name?: string;
    readonly text: string;
    readonly values?: unknown[];
    readonly types?: ColumnTypes;
    // biome-ignore lint/suspicious/noExplicitAny: as in `pg`, or its types would not fit
  }): Promise<{ readonly rows: any[] }>;
  release(destroy?: boolean): void;
  on(event: 'error', listener: (about?: unknown) => void): unknown;
  on(event: 'notification', listener: (about?: unknown) => void): unknown;
  on(event: 'end', listener: (about?: unknown) => void): unknown;
  removeListener(event: 'error' | 'notification' | 'end', listener: (about?: unknown) => void): unknown;
}

const example = "write `new pg.Pool({ connectionString: 'postgres://…' })`";
const connects = objectWith<PoolLike>(['connect'], example);

/** The rule of an option that takes a Pool of pg. A Client of pg has connect() too, which returns no connection. */
export const poolRule: Rule<PoolLike | undefined> = (value, option) => {
  const pool = connects(value, option);
  if (pool === undefined) return undefined;
  const isOther = 'processID' in pool || (typeof pool.on === 'function' && !('query' in pool));
  if (isOther) throw refused(option, 'a Pool of pg', value, example);
  return pool;
};

export const requiredPool: Rule<PoolLike> = required(poolRule, example);

const guarded = new WeakSet<PoolLike>();

/**
 * Listens for errors of each new connection of a pool until its borrower can. The pool takes its own listener off before
 * that, and the end of a session may come in the same packet as its beginning: an error that nobody listens for would end
 * the process. Once for each pool, for good.
 */
export function guardConnections(pool: PoolLike): void {
  if (guarded.has(pool)) return;
  guarded.add(pool);
  pool.on?.('connect', (client: PoolClientLike) => {
    client.on('error', ignore);
    setImmediate(() => client.removeListener('error', ignore));
  });
}

const listening = new WeakMap<PoolLike, number>();

/** Notes a connection that is kept to listen, until the returned function is called. */
export function keepOne(pool: PoolLike): () => void {
  listening.set(pool, keptOf(pool) + 1);
  return () => listening.set(pool, keptOf(pool) - 1);
}

/** How many connections of a pool are kept to listen, by all who share it. */
export function keptOf(pool: PoolLike): number {
  return listening.get(pool) ?? 0;
}

/** A connection within a transaction of our own. */
export class Session {
  readonly client: PoolClientLike;
  isSound = true;
  /** The server is no primary: a new connection may lead to the one that is. */
  isReadOnly = false;
  /** Of a statement that nobody waits for any more: resolves when the server has been asked to give it up. */
  canceled: Promise<void> | undefined;
  readonly #timeoutMs: number;

  constructor(client: PoolClientLike, timeoutMs: number) {
    this.client = client;
    this.#timeoutMs = timeoutMs;
  }

  /** @param name prepares the statement under this name, once for each connection */
  async query<R = Row>(text: string, values: readonly string[] = [], name?: string): Promise<readonly R[]> {
    // Without an array there are no parameters, and then there may be several statements
    const given = values.length === 0 ? { text } : { text, values: [...values] };
    const statement = name === undefined ? given : { ...given, name };
    const answer = this.client.query(statement);
    try {
      const { rows } = await within('a statement', this.#timeoutMs, answer);
      return rows as R[];
    } catch (error) {
      if (error instanceof QueueTimeoutError) this.canceled = giveUp(this.client, answer);
      this.isReadOnly ||= isReadOnly(error);
      throw error;
    }
  }
}

/** One statement, which is a transaction, on a connection of the pool, with a deadline. */
export function runOne(
  pool: PoolLike,
  timeoutMs: number,
  text: string,
  values: readonly string[],
): Promise<unknown> {
  return lendOut(pool, timeoutMs, async session => {
    try {
      return await session.query(text, values);
    } catch (error) {
      session.isSound = false;
      throw error;
    }
  });
}

interface TransactSettings {
  readonly timeoutMs: number;
  /** Milliseconds that it may be idle before the server ends it, and lets go of its locks. Default: `timeoutMs`. */
  readonly idleMs?: number;
  /** `default` is that of the session. Otherwise statements see what others have committed before them. */
  readonly isolation?: 'READ COMMITTED' | 'default';
  /** SQL that begins it too, such as `SET LOCAL`. */
  readonly more?: string | undefined;
}

/**
 * Runs the work within a transaction on a connection of the pool, each statement with a deadline. Rolls back when the
 * work rejects. A connection that did not answer is ended, which rolls back too.
 *
 * @throws what the work or the client rejects with; after a commit that was not answered it is not known what became of it
 */
export async function transact<T>(
  pool: PoolLike,
  { timeoutMs, idleMs = timeoutMs, isolation = 'READ COMMITTED', more = '' }: TransactSettings,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const level = isolation === 'default' ? '' : ` ISOLATION LEVEL ${isolation}`;
  const begin = `BEGIN${level}; SET LOCAL idle_in_transaction_session_timeout = ${Math.ceil(idleMs)}${more}`;
  return lendOut(pool, timeoutMs, async session => {
    try {
      await session.query(begin);
      const result = await work(session);
      await session.query('COMMIT');
      return result;
    } catch (error) {
      session.isSound = await session.query('ROLLBACK').then(
        () => true,
        () => false,
      );
      throw error;
    }
  });
}

/** Ends the connection after use that is not sound. */
async function lendOut<T>(
  pool: PoolLike,
  timeoutMs: number,
  use: (session: Session) => Promise<T>,
): Promise<T> {
  guardConnections(pool);
  const connecting = pool.connect();
  const client = await within('a connection', timeoutMs, connecting, 'NotExecuted').catch(error => {
    connecting.then(
      late => late.release(),
      () => {},
    );
    throw failed('a connection', error, 'NotExecuted');
  });
  client.on('error', ignore); // The statement in flight reports it
  const session = new Session(client, timeoutMs);
  try {
    return await use(session);
  } finally {
    const isKept = session.isSound && !session.isReadOnly;
    const release = () => {
      client.release(!isKept);
      client.removeListener('error', ignore);
    };
    // What stands between, such as PgBouncer, knows whose statement it is only while the connection is there
    if (isKept || session.canceled === undefined) release();
    else void session.canceled.then(release);
  }
}

function within<T>(what: string, timeoutMs: number, work: Promise<T>, outcome?: 'NotExecuted'): Promise<T> {
  const late = () => new QueueTimeoutError(what, timeoutMs, outcome);
  return withDeadline({ timeoutMs, late }, () => work);
}

export function ignore(): void {}

/** Whether the server refused to write: it may have been the primary when the connection was made, and may be none now. */
export function isReadOnly(error: unknown): boolean {
  return stateOf(error) === '25006';
}

/** What a client of `pg` keeps of its connection, and its types leave out. */
interface Addressed {
  readonly host?: unknown;
  readonly port?: unknown;
  readonly processID?: unknown;
  readonly secretKey?: unknown;
}

/** The code of a request to cancel, in place of a version of the protocol. */
const cancelCode = 80_877_102;
/** Longer than PgBouncer may need to hand it on: it ends at one whose sender has gone (pgbouncer 801), as 1.18 does. */
const cancelMs = 5_000;
/** How long a statement that was canceled may take to say so. */
const givenUpMs = 1_000;

/**
 * Asks the server to give up what it does on a connection, as nobody waits for it. While a statement waits for a lock, the
 * server does not notice that its connection was ended: each further attempt would leave it one session more. Resolves
 * when the server has heard of it, or cannot be reached.
 */
export async function cancel(client: PoolClientLike): Promise<void> {
  const { host, port, processID, secretKey } = client as Addressed;
  if (typeof host !== 'string' || typeof port !== 'number') return;
  if (typeof processID !== 'number' || typeof secretKey !== 'number') return;
  const request = new DataView(new ArrayBuffer(16));
  for (const [index, number] of [16, cancelCode, processID, secretKey].entries()) {
    request.setInt32(4 * index, number);
  }
  const { connect } = process.getBuiltinModule('node:net');
  const socket = connect(host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port });
  await new Promise<void>(resolve => {
    const end = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve();
    };
    const timer = setTimeout(end, cancelMs);
    socket.on('error', end).on('close', end); // The server ends it when it has heard
    // Not ended here: PgBouncer takes that for a client that has gone, and forgets what it asked for
    socket.resume().write(new Uint8Array(request.buffer));
  });
}

/** Resolves when the statement has ended, or the server does not say so. */
async function giveUp(client: PoolClientLike, answer: Promise<unknown>): Promise<void> {
  await cancel(client);
  await within('a canceled statement', givenUpMs, answer).catch(ignore);
}

/**
 * A connection for a borrower who may keep it for too long: after `end` it refuses to be asked, where it would else ask
 * within the transaction of somebody else. It cannot be released.
 */
export function lend(client: PoolClientLike): { readonly client: PoolClientLike; end(): void } {
  let isOver = false;
  const lent = new Proxy(client, {
    get(target, name) {
      if (name === 'release') return ignore;
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      if (name !== 'query') return value.bind(target);
      return (...args: unknown[]) => {
        if (isOver) return Promise.reject(new TransactionEndedError());
        return value.apply(target, args);
      };
    },
  });
  return {
    client: lent,
    end: () => {
      isOver = true;
    },
  };
}
