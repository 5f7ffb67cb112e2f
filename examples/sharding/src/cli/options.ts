import { type Flags, flagsHelp, readFlags } from '@workspace/program';

export interface Options {
  readonly postgres: boolean;
  /** How many wallets there are. */
  readonly rows: number;
  readonly json: boolean;
}

const flags: Flags = {
  postgres: { help: 'four servers of PostgreSQL, and one that keeps the map, started on this machine' },
  rows: { value: 'N', help: 'how many wallets there are, from 100 to 1000000 (default: 2000)' },
  json: { help: 'the report as JSON; the events go to stderr' },
  help: { help: 'this text' },
};

/** @throws UsageError. `undefined` when help was asked for. */
export function readOptions(args: readonly string[]): Options | undefined {
  const given = readFlags(args, flags);
  if (given.has('help')) return undefined;
  return {
    postgres: given.has('postgres'),
    rows: given.integer('rows', 2_000, [100, 1_000_000]),
    json: given.has('json'),
  };
}

export function help(): string {
  return flagsHelp(
    'Two shards under load become four: watch the slots move, and what becomes of each call.',
    flags,
  );
}
