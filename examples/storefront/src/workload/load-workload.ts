import { TraceError } from '@ashlar/cache-policies/trace';
import { seededRandom } from '@ashlar/core';
import { UsageError, userPath } from '@workspace/program';
import type { Options } from '../cli/options.ts';
import { count } from '../output/format.ts';
import { readTrace } from './read-trace.ts';
import { seasons } from './seasons.ts';
import { shopDay } from './shop-day.ts';

export interface Workload {
  /** What is replayed, in words. */
  readonly about: string;
  readonly keys: readonly string[];
  /** The requests just before those. */
  readonly warmUp: readonly string[];
}

/**
 * The keys to request, from the file or the generator that the options name. A file that is too short for both has fewer
 * requests for the warm-up. @throws UsageError for a bad file
 */
export async function loadWorkload({
  source,
  requests,
  warmUp,
  seed,
}: Pick<Options, 'source' | 'requests' | 'warmUp' | 'seed'>): Promise<Workload> {
  if ('season' in source) {
    const numbers = shopDay(seasons[source.season], warmUp + requests, seededRandom(seed));
    const about = `a generated ${source.season} day of a shop, seed ${seed}`;
    return { about, ...split(Array.from(numbers, String), requests) };
  }
  const { format, keys, badLines, skippedLines } = await readTrace(
    userPath(source.trace),
    warmUp + requests,
  ).catch(error => {
    throw error instanceof TraceError ? new UsageError(error.message, { cause: error }) : error;
  });
  const left = [
    badLines > 0 ? `${count(badLines)} bad lines left out` : '',
    skippedLines > 0 ? `${count(skippedLines)} requests that are no GET left out` : '',
  ].filter(text => text !== '');
  return { about: [`${source.trace} (${format})`, ...left].join(', '), ...split(keys, requests) };
}

function split(all: readonly string[], requests: number): Pick<Workload, 'keys' | 'warmUp'> {
  const start = Math.max(0, all.length - requests);
  return { keys: all.slice(start), warmUp: all.slice(0, start) };
}
