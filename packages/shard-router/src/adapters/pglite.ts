import {
  abortable,
  integer,
  objectWith,
  type Rule,
  type RulesFor,
  readOptions,
  refused,
  required,
  withDeadline,
} from '@ashlar/core';
import type { Executor, Scope, TransactionScope } from '@ashlar/replica-failover/executor';
import { isolationLevel } from '../clients/isolation.ts';
import { ShardTimeoutError } from '../errors/statements.ts';
import type { MoveBackend } from '../moves/move-backend.ts';
import { OpenTransaction } from '../running/open-transaction.ts';
import type { PGliteAdminLike, PGliteClient, PGliteLike, PGliteMovedLike } from './pglite/clients.ts';
import { PGliteMoves } from './pglite/moves/pglite-moves.ts';
import type { PgClientLike } from './postgres/moves/sessions/client-like.ts';

export type { PGliteAdminLike, PGliteClient, PGliteLike, PGliteMovedLike } from './pglite/clients.ts';

export interface PGliteShardOptions {
  /** The database, which is yours to close. */
  readonly db: PGliteLike;
}

const rules = {
  db: required(objectWith<PGliteLike>(['query', 'transaction'])),
} satisfies RulesFor<PGliteShardOptions>;

/**
 * A shard that is PGlite, PostgreSQL in this process. It has one session, so transactions run one after another, and a call within the
 * work of a transaction must use the client that the work got.
 *
 * @throws InvalidOptionError
 */
export function pgliteShard(options: PGliteShardOptions): Executor<PGliteClient> {
  const { db } = readOptions('pgliteShard', options, rules);
  // One session has no room for a cursor that stays open while others write
  const client = { query: db.query.bind(db), hasOneSession: true };
  const outside = <T>(operation: string, scope: Scope, work: (signal: AbortSignal) => Promise<T>) =>
    call(operation, scope, signal => {
      OpenTransaction.refuseWithin(db, 'of PGlite', operation);
      return work(signal);
    });
  return {
    read: (work, scope = {}) => outside('read', scope, () => work(client)),
    write: (work, scope = {}) => outside('write', scope, () => work(client)),
    transaction: (work, scope = {}) =>
      outside('transaction', scope, signal => transaction(db, work, scope, signal)),
  };
}

export interface PGliteMovesOptions {
  /** The databases by the names that the router has for their shards. They are yours to close. */
  readonly shards: Readonly<Record<string, { readonly db: PGliteMovedLike }>>;
  /** Rows that are copied at a time, while calls of the application wait. Default: 500. */
  readonly batch?: number;
}

const database = required(objectWith<PGliteMovedLike>(['transaction']));

const moved: Rule<PGliteMovesOptions['shards']> = (value, option) => {
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  if (entries.length === 0) throw refused(option, 'an object of shards by their names', value);
  for (const [name, shard] of entries) database(shard?.db, `${option}.${name}.db`);
  return value as PGliteMovesOptions['shards'];
};

const moveRules = {
  shards: moved,
  batch: integer(500, { min: 1 }),
} satisfies RulesFor<PGliteMovesOptions>;

/**
 * Moves slots between databases of PGlite in this process. They cannot follow each other by replication, so triggers note which rows are
 * written, and these are brought over as they are then; with the fence of triggers that PostgreSQL has.
 *
 * @throws InvalidOptionError
 */
export function pgliteMoves(options: PGliteMovesOptions): MoveBackend {
  return new PGliteMoves(readOptions('pgliteMoves', options, moveRules));
}

/** What sessions of migrations set. */
const changed = [
  'application_name',
  'search_path',
  'statement_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
  'client_min_messages',
];

/** Who uses the one session of a database for itself. */
const turns = new WeakMap<object, Promise<unknown>>();

/**
 * A client of `postgresMigrations` for a PGlite database, as `{ client: () => pgliteAdmin(db) }`. It has the database's one session for
 * itself, until another of its kind: nothing else may use the database meanwhile.
 */
export function pgliteAdmin(db: PGliteAdminLike): PgClientLike {
  let end = () => {};
  let before: readonly { readonly name: string; readonly setting: string }[] = [];
  return {
    async connect() {
      const last = turns.get(db);
      turns.set(
        db,
        new Promise<void>(resolve => {
          end = resolve;
        }),
      );
      await last;
      before = (await db.query('SELECT name, setting FROM pg_settings WHERE name = ANY ($1)', [changed]))
        .rows;
    },
    async query(text, values) {
      const result = values === undefined ? (await db.exec(text)).at(-1) : await db.query(text, values);
      return { rows: result?.rows ?? [], rowCount: result?.affectedRows ?? null };
    },
    async end() {
      // The session stays, and with it what a session of a server takes along
      try {
        await db.exec('ROLLBACK; SELECT pg_advisory_unlock_all()');
        for (const { name, setting } of before)
          await db.query('SELECT set_config($1, $2, false)', [name, setting]);
      } finally {
        end();
      }
    },
    on: () => {},
  };
}

async function transaction<T>(
  db: PGliteLike,
  work: (client: PGliteClient) => Promise<T>,
  { isolation }: TransactionScope,
  signal: AbortSignal,
): Promise<T> {
  const result = await db.transaction(async each => {
    signal.throwIfAborted();
    if (isolation !== undefined)
      await each.query(`SET TRANSACTION ISOLATION LEVEL ${isolationLevel(isolation)}`);
    const open = new OpenTransaction(db);
    try {
      const done = await abortable(
        open.run(() => work({ query: each.query.bind(each) })),
        signal,
      );
      signal.throwIfAborted();
      return { done };
    } finally {
      open.end();
    }
  });
  return result!.done;
}

function call<T>(
  operation: string,
  { timeoutMs, signal }: Scope,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const outcome = operation === 'write' ? 'Unknown' : 'NotExecuted';
  const late = () => new ShardTimeoutError('of PGlite', operation, timeoutMs!, outcome);
  return withDeadline({ timeoutMs, signal, late }, work);
}
