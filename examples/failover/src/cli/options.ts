import { type Flags, flagsHelp, readFlags } from '@workspace/program';
import type { Backend } from '../clusters/open.ts';

export interface Options {
  readonly backend: Backend;
  /** Run the fixed sequence, also on a terminal. */
  readonly script: boolean;
  readonly json: boolean;
}

const flags: Flags = {
  postgres: {
    help: 'three servers of PostgreSQL on this machine, started and killed here; the shop leads them',
  },
  redis: { help: 'three servers of Redis and three Sentinels, the same' },
  script: {
    help: 'the fixed sequence, as without a terminal: stop a replica, kill the primary, start it again',
  },
  json: { help: 'the fixed sequence, and its report as JSON; the events go to stderr' },
  help: { help: 'this text' },
};

/** @throws UsageError. `undefined` when help was asked for. */
export function readOptions(args: readonly string[]): Options | undefined {
  const given = readFlags(args, flags);
  if (given.has('help')) return undefined;
  given.exclusive('postgres', 'redis');
  const json = given.has('json');
  return {
    backend: given.has('postgres') ? 'postgres' : given.has('redis') ? 'redis' : 'memory',
    script: json || given.has('script'),
    json,
  };
}

export function help(): string {
  return flagsHelp(
    'A primary and two replicas under traffic: harm them, and see what becomes of each call.',
    flags,
  );
}
