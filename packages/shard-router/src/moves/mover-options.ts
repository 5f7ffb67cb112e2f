import {
  type Clock,
  clock,
  durationMs,
  integer,
  objectWith,
  type Random,
  type RulesFor,
  random,
  readOptions,
  required,
  systemClock,
} from '@ashlar/core';
import type { Store } from '@ashlar/store';
import { mapName } from '../map/map-name.ts';
import { Maps } from '../map/maps.ts';
import type { Positioned } from '../running/seen.ts';
import type { Tables } from '../tables/table.ts';
import type { MoveBackend } from './move-backend.ts';

/** What a move keeps to. */
export interface MoveLimits {
  /**
   * How long the rows may not be written until source and target are equal, in milliseconds: else the fence is opened again. And how long the
   * target may then take until it can be written: else the move is undone. Default: 500.
   */
  readonly pauseMs?: number;
  /** How long one attempt waits for transactions on the rows to end, in milliseconds. Default: 100. */
  readonly fenceMs?: number;
  /** How far the target may be behind when the fence is closed, in milliseconds. Default: 50. */
  readonly lagMs?: number;
  /** For how long it must not have been further behind, in milliseconds. Default: 1 000. */
  readonly steadyMs?: number;
  /**
   * How long the target may take to catch up with its writers each time, in milliseconds: else the run rejects with CutoverError, and the
   * move goes on from there when it is run again. Default: `Infinity`; what happens says how far the target is behind.
   */
  readonly catchUpMs?: number;
  /** How often the slots are to change hands before the run rejects with CutoverError. Default: 20. */
  readonly attempts?: number;
  /** How much log the source may keep for a move, in bytes; with more, the move is undone. Default: 10 737 418 240. */
  readonly retainedBytes?: number;
  /** How long to wait for a router that renews its entry but does not confirm, in milliseconds. Default: 60 000. */
  readonly routersMs?: number;
  /**
   * For how long a committed move can be rolled back before a mover that watches finishes it, in milliseconds, by the clocks of whoever
   * committed it and of whoever watches; `Infinity`: nobody does. Default: 900 000, 15 minutes.
   */
  readonly finishAfterMs?: number;
  /** The lease of who works on a move, in milliseconds: how long the work stands still when that process dies. Default: 10 000. */
  readonly leaseMs?: number;
}

export interface MoverOptions extends MoveLimits {
  /** What the shards do for a move: `memoryMoves({ shards })`. */
  readonly backend: MoveBackend;
  /** Keeps the map; that of the routers. */
  readonly store: Store;
  /** The tables whose rows move; those of the routers. */
  readonly tables: Tables;
  /**
   * The shards of the routers, where they have replicas: so that a replica of the new shard answers a session's reads only when it has
   * what the session wrote at the old one. Default: none; shards without replicas need it not.
   */
  readonly shards?: Readonly<Record<string, Positioned>>;
  /** The map; that of the routers. Default: `shards`. */
  readonly name?: string;
  /** Measures waits; monotonic. Default: the machine's. */
  readonly clock?: Clock;
  /** Spreads attempts. Default: `Math.random`. */
  readonly random?: Random;
}

const methods = [
  'plan',
  'prepare',
  'copy',
  'lag',
  'verify',
  'fence',
  'unfence',
  'drain',
  'recheck',
  'turn',
  'abort',
  'finish',
  'leaks',
] as const;

const rules = {
  pauseMs: durationMs(500, { min: 1 }),
  fenceMs: durationMs(100, { min: 1 }),
  lagMs: durationMs(50),
  steadyMs: durationMs(1_000),
  catchUpMs: durationMs(Number.POSITIVE_INFINITY, { endless: true }),
  attempts: integer(20, { min: 1 }),
  retainedBytes: integer(10 * 2 ** 30, { min: 0 }),
  routersMs: durationMs(60_000),
  finishAfterMs: durationMs(900_000, { endless: true }),
  leaseMs: durationMs(10_000, { min: 100 }),
  backend: required(objectWith<MoveBackend>(methods)),
  store: required(objectWith<Store>(['get', 'set', 'list', 'watch', 'claim', 'release'])),
  tables: required(objectWith<Tables>([])),
  shards: objectWith<NonNullable<MoverOptions['shards']>>([]),
  name: mapName,
  clock: clock(systemClock),
  random: random(),
} satisfies RulesFor<MoverOptions>;

/** The options with their defaults, and the map. */
export interface MoverSettings extends Required<Omit<MoverOptions, 'shards'>> {
  readonly shards: MoverOptions['shards'];
  readonly maps: Maps;
}

/** @throws InvalidOptionError */
export function readMoverSettings(options: MoverOptions): MoverSettings {
  const checked = readOptions('Mover', options, rules);
  return { ...checked, maps: new Maps(checked.store, checked.name) };
}
