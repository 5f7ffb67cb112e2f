import { EventEmitter } from 'node:events';
import {
  type Advice,
  InvalidOptionError,
  objectWith,
  type Rule,
  refused,
  required,
  withoutSecrets,
} from '@ashlar/core';

/** The part of `pg`'s Pool that is used; `pg` 8.11 and later fits, and so does a wrapper of it. */
export interface PoolLike {
  connect(): Promise<PoolClientLike>;
  // One event each: the types of `pg` before 8.16 fit no two at once
  // biome-ignore lint/suspicious/noExplicitAny: as in `pg`, or its types would not fit
  on?(event: 'error', listener: (about: any) => void): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: as in `pg`, or its types would not fit
  on?(event: 'connect', listener: (about: any) => void): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: as in `pg`, or its types would not fit
  removeListener?(event: 'error' | 'connect', listener: (about: any) => void): unknown;
  readonly options?: {
    readonly max?: number | undefined;
    readonly connectionTimeoutMillis?: number | undefined;
  };
}

/** A connection that is the borrower's until `release`: for others to use, or with `true` to be ended. */
export interface PoolClientLike extends QueryableLike {
  /** Of its session at the server; as `pg` has it, though its types do not. */
  readonly processID?: number | null | undefined;
  release(destroy?: boolean): void;
  on(event: 'error', listener: (about?: unknown) => void): unknown;
  on(event: 'notification', listener: (about?: unknown) => void): unknown;
  on(event: 'end', listener: (about?: unknown) => void): unknown;
  removeListener(event: 'error' | 'notification' | 'end', listener: (about?: unknown) => void): unknown;
}

/** A pool, or a connection in a transaction. */
export interface QueryableLike {
  query(statement: StatementLike): Promise<ResultLike>;
}

export interface StatementLike {
  /** Prepared under this name, once for each connection. */
  readonly name?: string;
  readonly text: string;
  readonly values?: unknown[];
}

export interface ResultLike {
  // biome-ignore lint/suspicious/noExplicitAny: as in `pg`, or its types would not fit
  readonly rows: any[];
}

const example = "new pg.Pool({ connectionString: 'postgres://…' })";

const advice: Advice = value =>
  typeof value === 'string' && /^postgres(ql)?:/.test(value)
    ? `write \`new pg.Pool({ connectionString: '${withoutSecrets(value)}' })\``
    : `write \`${example}\``;

const connects = objectWith<PoolLike>(['connect'], advice);

/** The rule of an option that takes a Pool of pg. */
export const pool: Rule<PoolLike | undefined> = (value, option) => {
  if (typeof value === 'string') throw refused(option, 'a Pool of pg', value, advice(value));
  const checked = connects(value, option);
  if (checked === undefined || !isOther(checked)) return checked;
  throw refused(option, 'a Pool of pg', value, advice(value));
};

/** A Client of pg, clients of Redis, sockets and the like have connect() too, which returns no connection to query. */
function isOther(value: object): boolean {
  return (
    'processID' in value || 'duplicate' in value || (value instanceof EventEmitter && !('query' in value))
  );
}

export const requiredPool: Rule<PoolLike> = required(pool, `write \`${example}\``);

/** How many stores keep a connection of a pool for their watches. */
const watching = new WeakMap<PoolLike, number>();

/**
 * Counts one more store that keeps a connection of the pool; call the returned function when it is free again.
 *
 * @param isShared whether the pool has to serve operations too, which would wait in vain for the last connection
 * @throws InvalidOptionError when that would be one connection too many
 */
export function keepConnection(pool: PoolLike, isShared: boolean): () => void {
  const count = (watching.get(pool) ?? 0) + 1;
  const max = pool.options?.max;
  const needed = isShared ? count + 1 : count;
  if (max !== undefined && max < needed) {
    const [option, more] = isShared ? ['pool', ', and one for operations'] : ['watchPool', ''];
    throw new InvalidOptionError(
      option,
      `\`${option}\` has room for ${max} connections and needs ${needed}: one for each of ${count} stores that watch` +
        `${more}; write \`new pg.Pool({ max: ${needed} })\``,
    );
  }
  watching.set(pool, count);
  return () => watching.set(pool, watching.get(pool)! - 1);
}
