import { describe } from '@ashlar/core';
import { type Flags, flagsHelp, type GivenFlags, readFlags, UsageError } from '@workspace/program';
import { type EvictionName, evictionNames } from '../evictions.ts';
import { type PolicyName, policyNames } from '../policies.ts';
import type { Plot } from '../replay/events.ts';
import { type SeasonName, seasons } from '../workload/seasons.ts';

export interface Options {
  /** One replay for each. */
  readonly policies: readonly PolicyName[];
  /** What happens to the replicas on the way, in an open loop. */
  readonly plot: Plot;
  /** Of each replay; Infinity for a whole trace. */
  readonly requests: number;
  /** How many requests before those warm the caches, where there are as many. */
  readonly warmUp: number;
  readonly replicas: number;
  /** Products that each replica's cache holds. */
  readonly cache: number;
  /** What a cache that is full gives up. */
  readonly eviction: EvictionName;
  /** Of the Redis whose tier the caches share; `undefined` when each is alone. */
  readonly redisUrl: string | undefined;
  /** Take orders into servers of PostgreSQL that are started here, and kill their primary on the way. */
  readonly postgres: boolean;
  /** Requests a second in an open loop, or how many at a time in a closed one. */
  readonly pace: { readonly rate: number } | { readonly concurrency: number };
  readonly seed: number;
  /** What is replayed: a file, or a generated day of the shop. */
  readonly source: { readonly trace: string } | { readonly season: SeasonName };
  /** What a product takes on average to load from the simulated database. */
  readonly loadMs: number;
  /** On how many shards in its memory each replica keeps its products; 0 for a database that makes them up. */
  readonly shards: number;
  /** The port to keep serving on, 0 for a free one; `undefined` to end with the report. */
  readonly servePort: number | undefined;
  readonly json: boolean;
}

/** To the middle of either generated day, well after its opening, in which most keys are new. */
export const usualWarmUp = 40_000;

const flags = {
  policy: {
    value: 'NAME',
    help: `one replay for each, separated by commas: ${policyNames.join(', ')} (peak-ewma,consistent); or \`all\`, with a slow and a failing replica`,
  },
  requests: {
    value: 'N',
    help: 'requests of each replay, or `all` of a trace (10000; 4000 with `--policy all`)',
  },
  cold: {
    help: `begin where the day or the trace does, with cold caches, not after a warm-up of ${usualWarmUp} requests`,
  },
  replicas: { value: 'N', help: 'catalogue processes; with 1 none is killed (4)' },
  rate: { value: 'N', help: 'requests a second, started on time whatever the answers take (700)' },
  concurrency: { value: 'N', help: 'instead of a rate: N requests at a time, one replay, no events' },
  cache: { value: 'N', help: 'products in the cache of each replica (300)' },
  eviction: { value: 'NAME', help: `what a full cache gives up: ${evictionNames.join(', ')} (wTinyLfu)` },
  redis: {
    value: 'URL',
    help: 'share what is loaded over this Redis, redis://host:port; kill it on the way',
  },
  postgres: {
    help: 'take orders too, into a primary with two standbys that are started here; the primary is killed at 25 %',
  },
  shards: { value: 'N', help: 'keep the products of each replica on N shards in its memory (none)' },
  'load-ms': { value: 'MS', help: 'what loading a product takes on average, 0 for no time at all (10)' },
  trace: {
    value: 'FILE',
    help: 'replay this: a key a line, or an nginx or Apache access log; plain or gzip',
  },
  season: {
    value: 'NAME',
    help: `or a generated day like the shop's: ${Object.keys(seasons).join(', ')} (december)`,
  },
  seed: { value: 'N', help: 'another generated day, other load times (1)' },
  serve: { help: 'keep running for a browser or curl until Ctrl-C; `--requests 0` serves only' },
  port: { value: 'N', help: 'where --serve listens (any free port)' },
  json: { help: 'print the report as JSON; progress goes to stderr' },
  help: { help: 'this text' },
} as const satisfies Flags;

/** A closed loop has one replay. */
function usualPolicies(given: GivenFlags): string {
  return given.has('concurrency') ? 'peak-ewma' : 'peak-ewma,consistent';
}

function policiesOf(text: string): PolicyName[] {
  if (text === 'all') return [...policyNames];
  const names = text.split(',');
  for (const name of names) {
    if ((policyNames as readonly string[]).includes(name)) continue;
    throw new UsageError(`--policy must be of ${policyNames.join(', ')} or all, got ${describe(name)}`);
  }
  return [...new Set(names)] as PolicyName[];
}

/**
 * Two replays of the usual requests at the usual rate are 20 000 requests in 30 seconds, which two cores have to spare.
 *
 * @throws UsageError. `undefined` when help was asked for.
 */
export function readOptions(args: readonly string[]): Options | undefined {
  const given = readFlags(args, flags);
  if (given.has('help')) return undefined;
  given.exclusive('rate', 'concurrency');
  given.exclusive('season', 'trace');
  if (given.has('concurrency') && given.get('policy')?.includes(',')) {
    throw new UsageError('--concurrency makes one replay: give one --policy');
  }
  if (given.has('port') && !given.has('serve')) throw new UsageError('--port needs --serve');

  const serve = given.has('serve');
  const trace = given.get('trace');
  const whole = given.get('requests') === 'all';
  const plot: Plot = given.get('policy') === 'all' ? 'trouble' : 'change';
  const replicas = given.integer('replicas', 4, [1, 64]);
  if (plot === 'trouble' && replicas < 3) throw new UsageError('--policy all needs at least 3 --replicas');
  if (plot === 'trouble' && given.has('concurrency')) throw new UsageError('--policy all needs a --rate');
  if (given.has('postgres') && given.has('concurrency')) throw new UsageError('--postgres needs a --rate');
  if (given.has('postgres') && /^0+$/.test(given.get('requests') ?? ''))
    throw new UsageError('--postgres needs --requests: without visitors nobody orders');
  const usualRequests = plot === 'trouble' ? 4_000 : 10_000;
  if (whole && trace === undefined)
    throw new UsageError('--requests all needs --trace: a generated day has no end');
  return {
    policies: policiesOf(given.get('policy') ?? usualPolicies(given)),
    plot,
    requests: whole ? Infinity : given.integer('requests', usualRequests, [serve ? 0 : 1, 10_000_000]),
    warmUp: given.has('cold') || whole ? 0 : usualWarmUp,
    replicas,
    cache: given.integer('cache', 300, [1, 10_000_000]),
    eviction: evictionOf(given.get('eviction') ?? 'wTinyLfu'),
    redisUrl: given.url('redis', ['redis:', 'rediss:']),
    postgres: given.has('postgres'),
    pace: given.has('concurrency')
      ? { concurrency: given.integer('concurrency', 1, [1, 1_000]) }
      : { rate: given.integer('rate', 700, [1, 100_000]) },
    seed: given.integer('seed', 1, [0, 2 ** 32 - 1]),
    source: trace === undefined ? { season: seasonOf(given.get('season') ?? 'december') } : { trace },
    loadMs: given.integer('load-ms', 10, [0, 5_000]),
    shards: given.integer('shards', 0, [1, 64]),
    servePort: serve ? given.integer('port', 0, [0, 65_535]) : undefined,
    json: given.has('json'),
  };
}

export function help(): string {
  return flagsHelp(
    'Replays product page requests through a balancer, kills a replica, lets another join.',
    flags,
  );
}

function evictionOf(typed: string): EvictionName {
  const name = evictionNames.find(known => known.toLowerCase() === typed.toLowerCase());
  if (name !== undefined) return name;
  throw new UsageError(`--eviction must be of ${evictionNames.join(', ')}, got ${describe(typed)}`);
}

function seasonOf(name: string): SeasonName {
  if (Object.hasOwn(seasons, name)) return name as SeasonName;
  throw new UsageError(`--season must be ${Object.keys(seasons).join(' or ')}, got ${describe(name)}`);
}
