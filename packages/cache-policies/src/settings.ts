import {
  backgroundClock,
  type Clock,
  describe,
  InvalidOptionError,
  knownOptions,
  numberOption,
  type Random,
  systemClock,
} from '@ashlar/core';
import type { CacheOptions } from './options.ts';

/** What the reading of a cache goes by, checked and complete. */
export interface ReadSettings<K, V> {
  readonly name: string;
  readonly clock: Clock;
  /** The same, with sleepers that keep the process alive: for what a caller waits for. */
  readonly callerClock: Clock;
  readonly random: Random;
  readonly ttlMs: number | ((key: K, value: V) => number);
  readonly jitter: number;
  readonly staleMs: number;
  readonly staleIfErrorMs: number;
  readonly errorBackoffMs: number;
  readonly negativeTtlMs: number;
  readonly refreshLastMs: number;
  readonly refreshBeta: number;
  readonly tags: ((key: K, value: V) => readonly string[]) | undefined;
  readonly timeoutMs: number | undefined;
  readonly softTimeoutMs: number | undefined;
  readonly localTtlMs: number;
  readonly leaseMs: number;
  readonly leaseWaitMs: number;
}

const names: readonly (keyof CacheOptions<unknown, unknown>)[] = [
  ...([
    'name',
    'max',
    'eviction',
    'weigh',
    'remote',
    'keyOf',
    'serializer',
    'load',
    'loadMany',
    'timeoutMs',
  ] as const),
  ...(['softTimeoutMs', 'write', 'ttlMs', 'jitter', 'staleMs', 'staleIfErrorMs', 'errorBackoffMs'] as const),
  ...([
    'negativeTtlMs',
    'refreshAhead',
    'tags',
    'localTtlMs',
    'onDisconnect',
    'leaseMs',
    'leaseWaitMs',
  ] as const),
  ...(['observer', 'clock', 'random'] as const),
];
const functions = ['eviction', 'weigh', 'keyOf', 'load', 'loadMany', 'tags', 'random'] as const;
const shapes = [
  ['remote', ['open']],
  ['write', ['open']],
  ['observer', ['accessed']],
  ['clock', ['now', 'sleep']],
] as const;
const onlyWithRemote = ['localTtlMs', 'onDisconnect', 'leaseMs', 'leaseWaitMs'] as const;

/** @throws InvalidOptionError */
export function readSettings<K, V>(options: CacheOptions<K, V>): ReadSettings<K, V> {
  knownOptions('Cache', options, names);
  for (const name of functions) checkFunction(name, options[name]);
  for (const [name, methods] of shapes) checkMethods(name, options[name], methods);
  if (options.remote === undefined) {
    const useless = onlyWithRemote.find(name => options[name] !== undefined);
    if (useless !== undefined)
      throw new InvalidOptionError(useless, `\`${useless}\` needs a \`remote\` tier`);
    if (options.serializer !== undefined && options.write?.needsText !== true)
      throw new InvalidOptionError('serializer', '`serializer` needs a `remote` tier or a journal');
  }
  const { name = 'cache', ttlMs = Number.POSITIVE_INFINITY, refreshAhead = {} } = options;
  if (typeof name !== 'string') {
    throw new InvalidOptionError('name', `\`name\` must be a string, got ${describe(name)}`);
  }
  if (typeof ttlMs === 'number' && ttlMs !== Number.POSITIVE_INFINITY)
    numberOption('ttlMs', ttlMs, { above: 0 });
  else if (typeof ttlMs !== 'number' && typeof ttlMs !== 'function') {
    const message = `\`ttlMs\` must be a number above 0 or a function, got ${describe(ttlMs)}`;
    throw new InvalidOptionError('ttlMs', message);
  }
  knownOptions('refreshAhead', refreshAhead, ['lastMs', 'beta']);
  const least = (option: 'staleMs' | 'staleIfErrorMs' | 'negativeTtlMs' | 'leaseWaitMs', orElse: number) =>
    numberOption(option, options[option] ?? orElse, { min: 0 });
  const above = (option: 'timeoutMs' | 'softTimeoutMs') =>
    options[option] === undefined ? undefined : numberOption(option, options[option], { above: 0 });
  return {
    name,
    clock: options.clock ?? backgroundClock,
    callerClock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
    ttlMs,
    jitter: numberOption('jitter', options.jitter ?? 0, { min: 0, max: 1 }),
    staleMs: least('staleMs', 0),
    staleIfErrorMs: least('staleIfErrorMs', 0),
    errorBackoffMs: numberOption('errorBackoffMs', options.errorBackoffMs ?? 1_000, { min: 0 }),
    negativeTtlMs: least('negativeTtlMs', 0),
    refreshLastMs: numberOption('refreshAhead.lastMs', refreshAhead.lastMs ?? 0, { min: 0 }),
    refreshBeta: numberOption('refreshAhead.beta', refreshAhead.beta ?? 0, { min: 0 }),
    tags: options.tags,
    timeoutMs: above('timeoutMs'),
    softTimeoutMs: above('softTimeoutMs'),
    localTtlMs:
      options.localTtlMs === undefined
        ? Number.POSITIVE_INFINITY
        : numberOption('localTtlMs', options.localTtlMs, { above: 0 }),
    leaseMs: numberOption('leaseMs', options.leaseMs ?? 10_000, { above: 0 }),
    leaseWaitMs: least('leaseWaitMs', 2_000),
  };
}

/** How long local values may be served beyond what the shared tier confirmed. @throws InvalidOptionError */
export function serveSetting(onDisconnect: CacheOptions<never, never>['onDisconnect']): number {
  if (onDisconnect === undefined || onDisconnect === 'bypass') return 0;
  if (typeof onDisconnect !== 'object' || onDisconnect === null) {
    const got = describe(onDisconnect);
    throw new InvalidOptionError(
      'onDisconnect',
      `\`onDisconnect\` must be 'bypass' or { serveMs }, got ${got}`,
    );
  }
  knownOptions('onDisconnect', onDisconnect, ['serveMs']);
  return numberOption('onDisconnect.serveMs', onDisconnect.serveMs, { above: 0 });
}

function checkFunction(option: string, value: unknown): void {
  if (value === undefined || typeof value === 'function') return;
  throw new InvalidOptionError(option, `\`${option}\` must be a function, got ${describe(value)}`);
}

function checkMethods(option: string, value: unknown, methods: readonly string[]): void {
  if (value === undefined) return;
  const missing = methods.find(
    method => typeof (value as Record<string, unknown> | null)?.[method] !== 'function',
  );
  if (missing === undefined) return;
  throw new InvalidOptionError(
    option,
    `\`${option}\` must have a method \`${missing}\`, got ${describe(value)}`,
  );
}
