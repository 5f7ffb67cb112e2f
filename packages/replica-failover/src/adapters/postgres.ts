import {
  functionOf,
  InvalidOptionError,
  listOf,
  objectWith,
  type RulesFor,
  readOptions,
  refused,
  required,
  text,
} from '@ashlar/core';
import type { Server } from '../server.ts';
import type { PgClientLike } from './postgres/client-like.ts';
import { PostgresServer } from './postgres/server.ts';

export type { PgClientLike, WireLike } from './postgres/client-like.ts';

export interface PostgresServersOptions<C extends PgClientLike, S> {
  /** The servers of one cluster, in any order. */
  readonly servers: readonly PostgresServerOptions<S>[];
  /** Makes a client that is not connected: `connection => new pg.Client(connection)`. */
  readonly newClient: (connection: S) => C;
  /**
   * Where each `transaction` leaves a row that tells what became of it, also after a crash or a promotion: the name of a table
   * `(id uuid PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())`, with its schema before a dot if it has one. Keep rows for
   * longer than the longest call. Default: no rows, and what cannot be found out without them is an OutcomeUnknownError.
   */
  readonly outcomes?: string | undefined;
}

export interface PostgresServerOptions<S> {
  /** Unique in the set; where the set leads, the `application_name` with which it follows a primary. */
  readonly id: string;
  /** What `newClient` gets: a connection string, or an object of options. */
  readonly connection: S;
  /** Where it is, for reads that stay near. Default: nowhere. */
  readonly region?: string | undefined;
  /**
   * How the other servers reach it for replication, as in `primary_conninfo` and without `application_name`:
   * `host=db1 user=replicator`. Needed where the set leads.
   */
  readonly replication?: string | undefined;
}

const clientAdvice = 'write `connection => new pg.Client(connection)`';
const serverRules = {
  id: required(text()),
  connection: required((value: unknown) => value),
  region: text(),
  replication: text(),
} satisfies RulesFor<PostgresServerOptions<unknown>>;
const oneServer = required((value: unknown, option: string) =>
  readOptions(`\`${option}\``, value, serverRules, `${option}.`),
);
const anyClient = required(
  objectWith<PgClientLike>(['connect', 'query', 'end', 'on'], clientAdvice),
  clientAdvice,
);

/** A pool has these methods too, and no connection of its own. */
function oneClient<C extends PgClientLike>(client: unknown): C {
  const { connection } = anyClient(client, 'newClient()') as Partial<C>;
  if (typeof connection?.on === 'function') return client as C;
  throw refused('newClient()', 'one client of pg', client, clientAdvice);
}
const rules = {
  servers: required(listOf(oneServer), 'write `[{ id, connection }, …]`'),
  newClient: required(functionOf<(connection: unknown) => PgClientLike>(clientAdvice), clientAdvice),
  outcomes: text(),
} satisfies RulesFor<PostgresServersOptions<PgClientLike, unknown>>;

/**
 * The servers of a PostgreSQL cluster with streaming replication, version 13 or later. Work gets a client of `pg` for
 * itself. Each process keeps one more connection to each server, to watch it.
 *
 * Every connection has `synchronous_commit` at least `on` and `client_min_messages` at most `warning`, since without them
 * nobody can say whether a write was acknowledged.
 *
 * @throws InvalidOptionError
 */
export function postgresServers<C extends PgClientLike, S>(
  options: PostgresServersOptions<C, S>,
): readonly Server<C>[] {
  const { servers, newClient, outcomes } = readOptions('postgresServers', options, rules);
  const replicationOf = (id: string) => {
    const replication = servers.find(each => each.id === id)?.replication;
    if (replication !== undefined) return replication;
    const message = `the server ${id} has no \`replication\`, as the others need to follow it: write \`host=… user=…\``;
    throw new InvalidOptionError('replication', message);
  };
  // What is wrong with them is better known now than when none of them can connect
  if (servers[0] !== undefined) {
    const { connection } = servers[0];
    const one = oneClient(newClient(connection));
    if (newClient(connection) === one)
      throw refused('newClient', 'a function that makes another client each time', newClient);
  }
  const table = outcomes?.split('.').map(each => `"${each.replaceAll('"', '""')}"`);
  return servers.map(({ id, connection, region, replication }) => {
    const make = () => oneClient<C>(newClient(connection));
    const address = { connection, replication };
    const outcomes = table?.join('.');
    return new PostgresServer({ id, region, address, newClient: make, replicationOf, outcomes });
  });
}
