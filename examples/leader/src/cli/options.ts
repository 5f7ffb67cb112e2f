import { type Flags, flagsHelp, type GivenFlags, readFlags } from '@workspace/program';
import type { Place } from '../backends/backend.ts';

export interface Options {
  readonly place: Place;
  readonly ttlMs: number;
  /** Run the fixed sequence, also on a terminal. */
  readonly script: boolean;
  readonly json: boolean;
}

const flags: Flags = {
  'ttl-ms': { value: 'MS', help: 'how long a silent leader keeps the lease (2000)' },
  redis: { value: 'URL', help: 'lease and counter on this Redis, redis://host:port' },
  postgres: { value: 'URL', help: 'or on this PostgreSQL, postgres://user:password@host:port/database' },
  script: { help: 'the fixed sequence, as without a terminal: kill, stop, resume, a table' },
  json: { help: 'the fixed sequence, and its report as JSON; the events go to stderr' },
  help: { help: 'this text' },
};

/** @throws UsageError. `undefined` when help was asked for. */
export function readOptions(args: readonly string[]): Options | undefined {
  const given = readFlags(args, flags);
  if (given.has('help')) return undefined;
  const json = given.has('json');
  return {
    place: placeOf(given),
    ttlMs: given.integer('ttl-ms', 2_000, [200, 60_000]),
    script: json || given.has('script'),
    json,
  };
}

export function help(): string {
  return flagsHelp('Three processes, one leader, a counter that never goes back.', flags);
}

function placeOf(given: GivenFlags): Place {
  given.exclusive('redis', 'postgres');
  const redis = given.url('redis', ['redis:', 'rediss:']);
  const postgres = given.url('postgres', ['postgres:', 'postgresql:']);
  if (redis !== undefined) return { backend: 'redis', url: redis };
  return postgres === undefined ? { backend: 'memory' } : { backend: 'postgres', url: postgres };
}
