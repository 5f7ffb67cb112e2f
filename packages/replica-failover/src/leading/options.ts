import {
  boolean,
  defaultTo,
  durationMs,
  functionOf,
  InvalidOptionError,
  integer,
  listOf,
  objectWith,
  type RulesFor,
  readOptions,
  record,
  required,
  text,
} from '@ashlar/core';
import type { Store } from '@ashlar/store';

export interface LeadingOptions {
  /**
   * Where the term is kept: a store that outlives the primary, and loses nothing (`durability: 'linearizable'`). A store of
   * this process is taken for memory servers only.
   */
  readonly store: Store;
  /**
   * What can be done at the hosts of servers, by id, to make a primary of before a standby again. Default: nothing, so it
   * stays fenced, with what only it has.
   */
  readonly members?: Readonly<Record<string, MemberHooks>>;
  /**
   * Regions in order of preference: of servers that have all, the one in the first of them becomes primary. Nothing changes on
   * its own when a server of a better region comes back. Default: none is preferred.
   */
  readonly regions?: readonly string[];
  /** How many standbys must acknowledge each write. Default: 1. */
  readonly synchronous?: number;
  /** Whether a process promotes that is the only one to find the primary dead. Default: false. */
  readonly alone?: boolean;
  /** Milliseconds that the primary must have refused connections before another is promoted. Default: 100. */
  readonly refusedMs?: number;
  /** Milliseconds that the primary must have been down, and silent, before another is promoted. Default: 1 000. */
  readonly silentMs?: number;
  /** Milliseconds after which recruiting is given up. Default: 10 000. */
  readonly recruitMs?: number;
  /**
   * Milliseconds that a planned switchover waits for the writes that were begun before it; then their connections end, and
   * transactions that were not committed run again. Default: 3 000.
   */
  readonly drainMs?: number;
  /** Whether to promote although acknowledged writes may be lost; the record of the term then says so. Default: false. */
  readonly allowLoss?: boolean;
}

/**
 * What is done at the host of one server, in this order. No deadline of the set ends a hook. When one rejects, or its process
 * dies, the server is in quarantine until it is seen to follow.
 */
export interface MemberHooks {
  /** Stops the server. Default: nothing, where `rewind` or a supervisor does. */
  readonly stop?: ((about: Rejoining) => Promise<unknown>) | undefined;
  /** Makes it a standby of `primary`, and so deletes what only it has: `pg_rewind … --write-recovery-conf`. */
  readonly rewind?: ((about: Rejoining) => Promise<unknown>) | undefined;
  /** Starts it. Default: nothing, where a supervisor does. */
  readonly start?: ((about: Rejoining) => Promise<unknown>) | undefined;
}

/** A primary of before that is to follow. */
export interface Rejoining {
  readonly id: string;
  /** The server that it is to follow. */
  readonly primary: string;
  readonly term: number;
}

const storeAdvice = 'write `postgresStore({ pool })`, of another server than those that are led';
const rules = {
  store: required(objectWith<Store>(['get', 'set', 'watch', 'claim'], storeAdvice), storeAdvice),
  members: membersOf,
  regions: defaultTo<readonly string[]>([], listOf(required(text()))),
  synchronous: integer(1, { min: 1 }),
  alone: boolean(false),
  refusedMs: durationMs(100),
  silentMs: durationMs(1_000),
  recruitMs: durationMs(10_000, { above: 0 }),
  drainMs: durationMs(3_000, { above: 0 }),
  allowLoss: boolean(false),
} satisfies RulesFor<LeadingOptions>;

type Hook = (about: Rejoining) => Promise<unknown>;
const hookRules = {
  stop: functionOf<Hook>(),
  rewind: functionOf<Hook>(),
  start: functionOf<Hook>(),
} satisfies RulesFor<MemberHooks>;

function membersOf(value: unknown, option: string): Readonly<Record<string, MemberHooks>> {
  const ids = Object.keys(Object(value ?? {}));
  return record(Object.fromEntries(ids.map(id => [id, record(hookRules)])))(value, option);
}

/** The options with their defaults. */
export type LeadingSettings = Required<LeadingOptions>;

/** @throws InvalidOptionError */
export function readLeading(options: LeadingOptions): LeadingSettings {
  const settings = readOptions('leading', options, rules) as LeadingSettings;
  if (settings.store.durability !== 'asynchronous') return settings;
  const message =
    '`store` may lose a term that was claimed, and then two would lead: it must be linearizable';
  throw new InvalidOptionError('store', message);
}
