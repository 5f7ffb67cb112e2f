import { createHash } from 'node:crypto';
import { evictions } from '../policies/evictions.ts';
import { opt } from '../policies/opt.ts';
import { MissRatioCurve } from '../sampling/miss-ratio-curve.ts';
import { KeyHash } from '../slots/key-hash.ts';
import type { Key } from '../trace/line-formats.ts';
import type { Trace } from '../trace/trace.ts';
import { optimum, type SimulateOptions } from './options.ts';
import { Recording } from './recording.ts';
import { Replay, Shadows } from './replay.ts';
import type { Curve, Report, Result } from './report.ts';
import { sizesBetween, sizesUpTo } from './sizes.ts';

/** The optimum of a trace this long takes some hundred megabytes and a second. */
const shortTrace = 2_000_000;
/** A longer key is replayed as its digest, so that the replay's memory does not depend on the length of keys. */
const longestKey = 64;
/** With so many keys followed, the curve of a trace with fewer keys is as good as exact. */
const samples = 32_768;

/**
 * Replays the trace through all policies in all sizes in one pass: the memory it takes depends on the sizes alone, unless
 * the optimum keeps the trace.
 *
 * @param progressed called from time to time with the number of requests so far
 * @throws TraceError
 */
export async function simulate(
  options: SimulateOptions,
  trace: Trace,
  progressed: (requests: number) => void,
): Promise<Report> {
  const { policies, sizes } = options;
  const chosen = new Map(policies.map(name => [name, evictions[name]]));
  const replays = sizes.flatMap(max =>
    Array.from(chosen, ([policy, eviction]) => ({ policy, max, replay: new Replay(eviction, max) })),
  );
  const shadows = sizesBetween(sizes).map(size => new Shadows(size, chosen));
  const curve = new MissRatioCurve({ samples });
  const recording = new Recording({ always: Infinity, short: shortTrace, never: 0 }[options.opt]);
  const hash = new KeyHash(1);

  for await (const batch of trace.batches()) {
    const keys = batch.map(shortened);
    const hashes = keys.map(key => hash.of(key));
    for (const key of hashes) curve.request(key);
    for (const { replay } of replays) replay.request(keys);
    for (const shadow of shadows) shadow.request(hashes);
    recording.request(keys);
    progressed(trace.requests);
  }

  const { name, requests, format, badLines, skippedLines } = trace;
  const result = (policy: string, max: number, hits: number): Result => {
    return { policy, max, hits, misses: requests - hits, hitRatio: hits / requests };
  };
  const results = replays.map(({ policy, max, replay }) => result(policy, max, replay.hits));
  const { all } = recording;
  if (all !== undefined) for (const max of sizes) results.push(result(optimum, max, opt(all.requests, max)));
  results.sort((a, b) => a.max - b.max || b.hits - a.hits);

  // What misses in the largest cache is new
  const estimated = Math.round(requests * (1 - curve.hitRatio(2 ** 32)));
  const keys = all === undefined ? { count: estimated, exact: false } : { count: all.keys, exact: true };
  const lruSizes = sizesUpTo(keys.count);
  return {
    trace: { name, format, requests, keys, badLines, skippedLines },
    results,
    optLeftOut: options.opt === 'short' && all === undefined,
    curves: curvesOf(results, shadows, requests),
    lruCurve: {
      policy: 'lru',
      share: curve.share,
      points: lruSizes.map(max => ({ max, missRatio: 1 - curve.hitRatio(max), exact: false })),
    },
  };
}

function shortened(key: Key): Key {
  if (typeof key !== 'string' || key.length <= longestKey) return key;
  return createHash('sha1').update(key).digest('base64');
}

/** In the order of the results for the largest size. */
function curvesOf(results: readonly Result[], shadows: readonly Shadows[], requests: number): Curve[] {
  const names = [...new Set(results.map(({ policy }) => policy).reverse())].reverse();
  return names.map(policy => {
    const exact = results
      .filter(result => result.policy === policy)
      .map(({ max, hitRatio }) => ({ max, missRatio: 1 - hitRatio, exact: true }));
    const estimates = policy === optimum ? [] : shadows;
    const between = estimates.map(shadow => {
      return { max: shadow.size, missRatio: shadow.missRatio(policy, requests), exact: false };
    });
    return { policy, points: [...exact, ...between].sort((a, b) => a.max - b.max) };
  });
}
