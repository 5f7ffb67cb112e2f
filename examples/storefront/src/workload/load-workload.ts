import { TraceError } from '@ashlar/cache-policies/trace';
import { seededRandom } from '@ashlar/core';
import { UsageError } from '@workspace/program';
import type { Options } from '../cli/options.ts';
import { userPath } from '../cli/user-path.ts';
import { count } from '../output/format.ts';
import { readTrace } from './read-trace.ts';
import { seasons } from './seasons.ts';
import { shopDay } from './shop-day.ts';

export interface Workload {
  /** What is replayed, in words. */
  readonly about: string;
  readonly keys: readonly string[];
}

/** The keys to request, from the file or the generator that the options name. @throws UsageError for a bad file */
export async function loadWorkload({ source, requests, seed }: Options): Promise<Workload> {
  if ('season' in source) {
    const numbers = shopDay(seasons[source.season], requests, seededRandom(seed));
    return {
      about: `a generated ${source.season} day of a shop, seed ${seed}`,
      keys: Array.from(numbers, String),
    };
  }
  const { format, keys, badLines, skippedLines } = await readTrace(userPath(source.trace), requests).catch(
    error => {
      throw error instanceof TraceError ? new UsageError(error.message, { cause: error }) : error;
    },
  );
  const left = [
    badLines > 0 ? `${count(badLines)} bad lines left out` : '',
    skippedLines > 0 ? `${count(skippedLines)} requests that are no GET left out` : '',
  ].filter(text => text !== '');
  return { about: [`${source.trace} (${format})`, ...left].join(', '), keys };
}
