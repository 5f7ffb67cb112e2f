import {
  backgroundClock,
  boolean,
  type Clock,
  clock,
  durationMs,
  integer,
  number,
  objectWith,
  type Rule,
  type RulesFor,
  readOptions,
  refused,
  required,
} from '@ashlar/core';
import type { Executor } from '@ashlar/replica-failover/executor';
import type { Store } from '@ashlar/store';
import { maxSlots } from './ids/id.ts';
import { type KeyType, keyColumns } from './keys/key-column.ts';
import type { LayoutSpec } from './map/first-map.ts';
import { mapName } from './map/map-name.ts';
import type { References } from './references/reference.ts';
import type { Tables } from './tables/table.ts';

export interface ShardRouterOptions<
  C,
  T extends Tables = Tables,
  F extends References = References,
  K extends KeyType = KeyType,
> {
  /** The shards by name: replica sets, or anything else that runs work. A map that names others is refused. */
  readonly shards: Readonly<Record<string, Executor<C>>>;
  /** Keeps the map, for all processes; `linearizable`, or `process` for shards in memory. */
  readonly store: Store;
  /** The type of the shard key in the database. Fixed with the first map. */
  readonly key: K;
  /** The tables whose rows lie on the shards, for `table` and for moves. Default: none. */
  readonly tables?: T;
  /** Tables whose rows are all on every shard, for `reference`, and for joins with what lies there. Default: none. */
  readonly references?: F;
  /** How many slots the first map has: a power of two, up to 4 096; by hash. Default: 1 024. */
  readonly slots?: number;
  /** Whether keys are in slots by hash, range or directory, and how in the first map. Default: by hash. */
  readonly layout?: LayoutSpec;
  /** The map, for sets of shards that share a store. Default: `shards`. */
  readonly name?: string;
  /** How long `ready` waits for the map, in milliseconds. Default: 10 000. */
  readonly timeoutMs?: number;
  /**
   * For how long this process goes by its copy of the map when the store does not answer, in milliseconds; it is renewed three times in
   * that time. A move waits as long for a process that has died. Default: 10 000.
   */
  readonly leaseMs?: number;
  /** For how long a write waits while its rows move, in milliseconds. Default: 10 000. */
  readonly holdMs?: number;
  /** How many writes may wait so at a time. Default: 1 000. */
  readonly maxHeld?: number;
  /**
   * Allows transactions over several shards (`twoPhase` of a `transaction`), and has this router settle what processes that have died leave
   * of them. Default: false.
   */
  readonly twoPhase?: boolean;
  /** How often it looks for what others have left, in milliseconds; one router of all at a time does. Default: 5 000. */
  readonly sweepMs?: number;
  /** For how long a part of a transaction may wait before its process is taken for dead, in milliseconds. Default: 10 000. */
  readonly inDoubtMs?: number;
  /** How long calls are counted together, in milliseconds, for `snapshot().load`. Default: 60 000. */
  readonly windowMs?: number;
  /** The part of all calls from which a key or a slot is hot, on the channel `ashlar:shard-router:hot`. Default: 0.1. */
  readonly hotShare?: number;
  /** Measures the lease and the waits; monotonic. Default: the machine's. */
  readonly clock?: Clock;
}

const key: Rule<KeyType> = (value, option) => {
  const columns = Array.isArray(value) ? value : [value];
  const known = columns.length > 0 && columns.every(each => (keyColumns as unknown[]).includes(each));
  if (!known)
    throw refused(option, `${keyColumns.map(each => `'${each}'`).join(', ')}, or a list of these`, value);
  return value as KeyType;
};

const powerOfTwo: Rule<number> = (value, option) => {
  const checked = integer(1_024, { min: 1, max: maxSlots })(value, option);
  if ((checked & (checked - 1)) !== 0) throw refused(option, 'a power of two', value);
  return checked;
};

const shardsAdvice = "write `memoryShards(['one', 'two'])`, or `{ one: await ReplicaSet.connect({ … }) }`";
const oneShard = required(
  objectWith<Executor<unknown>>(['read', 'transaction', 'write'], shardsAdvice),
  shardsAdvice,
);
const shards: Rule<Readonly<Record<string, Executor<unknown>>>> = (value, option) => {
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  if (entries.length === 0) throw refused(option, 'an object of shards by their names', value, shardsAdvice);
  for (const [name, shard] of entries) oneShard(shard, `${option}.${name}`);
  return value as Readonly<Record<string, Executor<unknown>>>;
};

const storeAdvice = 'write `memoryStore()` or `postgresStore({ pool })`, of @ashlar/store';
const anyStore = required(
  objectWith<Store>(['get', 'set', 'delete', 'list', 'watch'], storeAdvice),
  storeAdvice,
);
const store: Rule<Store> = (value, option) => {
  const checked = anyStore(value, option);
  if (checked.durability !== 'asynchronous') return checked;
  throw refused(
    option,
    'a store that loses nothing',
    value,
    'one that may forget a change of the map routes writes to two shards: write `postgresStore({ pool })`',
  );
};

function tablesOf<T extends object>(): Rule<T> {
  return (value = {}, option) => {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as T;
    throw refused(option, 'an object of tables by their names', value);
  };
}

const layout: Rule<LayoutSpec> = (value = { kind: 'hash' }, option) => {
  const { kind, parts, entries, tables } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (kind === 'hash') return value as LayoutSpec;
  if (kind === 'range' && Array.isArray(parts)) return value as LayoutSpec;
  if (kind === 'directory' && Array.isArray(entries)) return value as LayoutSpec;
  if (kind === 'tables' && typeof tables === 'object' && tables !== null) return value as LayoutSpec;
  throw refused(
    option,
    "`{ kind: 'hash' }`, a list of `parts` by range, of `entries` by directory, or `tables`",
    value,
  );
};

const rules = {
  shards,
  store,
  key: required(key),
  tables: tablesOf<Tables>(),
  references: tablesOf<References>(),
  slots: powerOfTwo,
  layout,
  name: mapName,
  timeoutMs: durationMs(10_000),
  leaseMs: durationMs(10_000, { min: 100, max: 3_600_000 }),
  holdMs: durationMs(10_000),
  maxHeld: integer(1_000, { min: 0 }),
  twoPhase: boolean(false),
  sweepMs: durationMs(5_000, { min: 100 }),
  inDoubtMs: durationMs(10_000),
  windowMs: durationMs(60_000, { min: 100 }),
  hotShare: number(0.1, { min: 0, max: 1 }),
  clock: clock(backgroundClock),
} satisfies RulesFor<ShardRouterOptions<unknown>>;

/** The options with their defaults. */
export type Settings = Required<ShardRouterOptions<unknown>>;

/** @throws InvalidOptionError */
export function readSettings<C, T extends Tables, F extends References>(
  options: ShardRouterOptions<C, T, F>,
): Settings {
  const settings = readOptions('ShardRouter', options, rules);
  const { layout, tables } = settings;
  const indexed = Object.entries(tables).find(([, { indexes = {} }]) => Object.keys(indexes).length > 0);
  if (layout.kind === 'hash' || indexed === undefined) return settings;
  const advice = 'the entries of an index are where the hashes of their values are';
  throw refused(
    `tables.${indexed[0]}.indexes`,
    'of a router whose layout is by hash',
    indexed[1].indexes,
    advice,
  );
}
