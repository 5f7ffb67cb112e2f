import {
  type Clock,
  clock,
  defaultTo,
  describe,
  durationMs,
  InvalidOptionError,
  integer,
  listOf,
  objectWith,
  type RulesFor,
  readOptions,
  record,
  refused,
  required,
  text,
} from '@ashlar/core';
import type { Authority } from './authority.ts';
import type { Server } from './server.ts';

export interface ReplicaSetOptions<C> {
  /** What sessions, messages and errors call the set; sessions keep positions by it. Default: `replica-set`. */
  readonly name?: string;
  /** Its servers: `memoryCluster().servers()`, `postgresServers({ … })`. */
  readonly servers?: readonly Server<C>[];
  /** Who says which server is primary. Default: `roles()`, which asks them. */
  readonly authority?: Authority;
  /** Milliseconds for a whole call, waits and retries included, unless it says otherwise. Default: 10 000. */
  readonly timeoutMs?: number;
  /** The most connections to one server. Default: 10. */
  readonly maxConnections?: number;
  /** The most writes that wait for a primary at a time; one more is refused at once. Default: 10 000. */
  readonly maxWaiting?: number;
  /** How servers are watched. */
  readonly heartbeat?: HeartbeatOptions;
  /** Which replica reads. */
  readonly reads?: ReadOptions;
  /** Measures intervals, deadlines and staleness. Default: the machine's; only calls keep the process alive. */
  readonly clock?: Clock;
}

export interface HeartbeatOptions {
  /** Milliseconds between two looks at a server. Default: 250. */
  readonly intervalMs?: number;
  /** Milliseconds that a look may take; after two failed ones in a row the server gets no work. Default: 300. */
  readonly deadlineMs?: number;
}

export interface ReadOptions {
  /** Only replicas that answer within this many milliseconds of the quickest are read. Default: 15. */
  readonly latencyWindowMs?: number;
  /** Milliseconds that a read waits for a replica to have what it must see, before the primary reads. Default: 50. */
  readonly catchUpMs?: number;
  /** Regions in order of preference: reads go to the first that has a server for them. Default: none is preferred. */
  readonly regions?: readonly string[];
}

const serversAdvice = 'write `memoryCluster().servers()`, or `postgresServers({ … })`';

const anyName = text('replica-set');

/** Sessions carry it, in little room. */
function setName(value: unknown, option: string): string {
  const name = anyName(value, option);
  if (name.length > 100 || !isWellFormed(name)) {
    throw refused(option, 'a well-formed string of at most 100 characters', value);
  }
  return name;
}

function isWellFormed(text: string): boolean {
  try {
    encodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

const listOfServers = listOf(required(objectWith<Server<unknown>>(['look', 'open'], serversAdvice)));

function anyServers(value: unknown, option: string): readonly Server<unknown>[] | undefined {
  if (value !== undefined && !Array.isArray(value)) throw refused(option, 'an array', value, serversAdvice);
  return listOfServers(value, option);
}

const rules = {
  name: setName,
  servers: required(anyServers, serversAdvice),
  authority: objectWith<Authority>(['start'], 'write `roles()`'),
  timeoutMs: durationMs(10_000, { above: 0 }),
  maxConnections: integer(10, { min: 1 }),
  maxWaiting: integer(10_000, { min: 1 }),
  heartbeat: record({
    intervalMs: durationMs(250, { min: 10 }),
    deadlineMs: durationMs(300, { min: 10 }),
  } satisfies RulesFor<HeartbeatOptions>),
  reads: record({
    latencyWindowMs: durationMs(15),
    catchUpMs: durationMs(50),
    regions: defaultTo<readonly string[]>([], listOf(required(text()))),
  } satisfies RulesFor<ReadOptions>),
  clock: clock(),
} satisfies RulesFor<ReplicaSetOptions<unknown>>;

/** The options with their defaults. */
export interface ReplicaSetSettings<C> {
  readonly name: string;
  readonly servers: readonly Server<C>[];
  readonly authority: Authority | undefined;
  readonly timeoutMs: number;
  readonly maxConnections: number;
  readonly maxWaiting: number;
  readonly heartbeat: Required<HeartbeatOptions>;
  readonly reads: Required<ReadOptions>;
  readonly clock: Clock;
}

/** @throws InvalidOptionError */
export function readSettings<C>(options: ReplicaSetOptions<C>): ReplicaSetSettings<C> {
  const settings = readOptions('ReplicaSet.connect', options, rules) as ReplicaSetSettings<C>;
  const ids = settings.servers.map(({ id }) => id);
  if (ids.length === 0) throw refused('servers', 'at least one server', settings.servers);
  const twice = ids.find((id, index) => ids.indexOf(id) !== index);
  if (twice === undefined) return settings;
  throw new InvalidOptionError('servers', `two of \`servers\` have the id ${describe(twice)}`);
}
