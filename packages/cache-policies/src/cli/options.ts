import { parseArgs } from 'node:util';
import { describe } from '@ashlar/core';
import { type EvictionName, evictions } from '../policies/evictions.ts';
import { UsageError } from './errors.ts';

export interface SimulateOptions {
  /** A path, or `-` for the standard input. */
  readonly file: string;
  readonly policies: readonly EvictionName[];
  /** Belady's optimum beside them: for any trace, for one that is short enough, or not at all. */
  readonly opt: 'always' | 'short' | 'never';
  /** Entries, ascending. */
  readonly sizes: readonly number[];
  readonly svg: string | undefined;
  readonly json: boolean;
}

/** Belady's optimum, which knows the future and so is no cache's. */
export const optimum = 'opt';

const evictionNames = Object.keys(evictions) as EvictionName[];
/** No JavaScript `Map` has more than 2^24 entries. */
const mostEntries = 16_000_000;
const mostSizes = 32;
const names: readonly string[] = [...evictionNames, optimum, 'all'];

export const help: string = `Replays a trace of keys through eviction policies and prints how often each would have hit.

  cache-policies simulate FILE [--policy LIST] [--max LIST] [--svg FILE] [--json]

  FILE           a key a line, or an access log of nginx or Apache (the paths of its GET requests,
                 without their queries); plain or gzip; - for the standard input
  --policy LIST  of ${evictionNames.join(', ')};
                 opt, Belady's optimum, which no policy can beat, and which keeps the trace in memory;
                 or all of them (default), with opt for up to 2,000,000 requests: all,opt for more
  --max LIST     sizes in entries (default 100,1000,10000)
  --svg FILE     draw the miss-ratio curves there
  --json         print the results as JSON
  --help         this text

Exit codes: 0 done, 1 failed on the way, 2 the command line or the trace cannot be used.
`;

/** `undefined` when help was asked for. @throws UsageError */
export function readOptions(args: readonly string[]): SimulateOptions | undefined {
  const { values, positionals } = parsed(args);
  if (values.help === true) return undefined;
  const [command, file, ...more] = positionals;
  if (command === undefined) throw new UsageError('say what to do: cache-policies simulate FILE; see --help');
  if (command !== 'simulate') {
    throw new UsageError(`there is no command ${describe(command)}; there is simulate FILE; see --help`);
  }
  if (file === undefined || file === '')
    throw new UsageError('simulate needs a FILE, or - for the standard input');
  if (more.length > 0) throw new UsageError(`simulate takes one FILE, got also ${describe(more[0])}`);
  if (values.svg === '') throw new UsageError('--svg needs the name of a file');
  const chosen = policiesOf(values.policy ?? 'all');
  const all = chosen.has('all');
  return {
    file,
    policies: evictionNames.filter(name => all || chosen.has(name)),
    opt: chosen.has(optimum) ? 'always' : all ? 'short' : 'never',
    sizes: sizesOf(values.max ?? '100,1000,10000'),
    svg: values.svg,
    json: values.json === true,
  };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        policy: { type: 'string' },
        max: { type: 'string' },
        svg: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    const [message = ''] = (error as Error).message.split(/\. |\n/, 1);
    throw new UsageError(`${message.replace(/\.$/, '')}; see --help`, { cause: error });
  }
}

function policiesOf(list: string): ReadonlySet<string> {
  const chosen = new Set<string>();
  for (const typed of list.split(',').map(text => text.trim())) {
    const name = names.find(known => known.toLowerCase() === typed.toLowerCase());
    if (name === undefined) {
      throw new UsageError(`there is no policy ${describe(typed)}; there are ${names.join(', ')}`);
    }
    chosen.add(name);
  }
  return chosen;
}

function sizesOf(list: string): number[] {
  const sizes = list.split(',').map(text => {
    const size = /^\d{1,9}$/.test(text.trim()) ? Number(text) : 0;
    if (size >= 1 && size <= mostEntries) return size;
    throw new UsageError(`--max must be integers from 1 to ${mostEntries}, got ${describe(text)}`);
  });
  const distinct = [...new Set(sizes)].sort((a, b) => a - b);
  if (distinct.length <= mostSizes) return distinct;
  throw new UsageError(`--max takes at most ${mostSizes} sizes, got ${distinct.length}`);
}
