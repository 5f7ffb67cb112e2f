import { type Flags, flagsHelp, readFlags } from '@workspace/program';

export interface Options {
  /** Page views from noon to noon. */
  readonly requests: number;
  /** Real milliseconds of an hour of the shop. */
  readonly hourMs: number;
  readonly seed: number;
  /** Where the picture goes. */
  readonly svg: string | undefined;
  readonly json: boolean;
}

const flags: Flags = {
  requests: { value: 'COUNT', help: 'page views from noon to noon (3000)' },
  'hour-ms': { value: 'MS', help: 'what an hour of the shop takes here (500)' },
  seed: { value: 'NUMBER', help: 'of the generated day (1)' },
  svg: { value: 'FILE', help: 'the picture as SVG too' },
  json: { help: 'the result as JSON; progress goes to stderr' },
  help: { help: 'this text' },
};

/** @throws UsageError. `undefined` when help was asked for. */
export function readOptions(args: readonly string[]): Options | undefined {
  const given = readFlags(args, flags);
  if (given.has('help')) return undefined;
  return {
    requests: given.integer('requests', 3_000, [100, 100_000]),
    hourMs: given.integer('hour-ms', 500, [50, 60_000]),
    seed: given.integer('seed', 1, [0, 2 ** 31]),
    svg: given.get('svg'),
    json: given.has('json'),
  };
}

export function help(): string {
  return flagsHelp(
    'A shop that finds out at night what it is asked for by day, from its own page views.',
    flags,
  );
}
