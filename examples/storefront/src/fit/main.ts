// Shows a season of the generator beside the trace that it was fitted to:
//   npm run fit -w @ashlar-examples/storefront -- december FILE
// and with a number of generations fits it anew first:
//   npm run fit -w @ashlar-examples/storefront -- december FILE 40
import { seededRandom } from '@ashlar/core';
import { userPath } from '@workspace/program';
import { readTrace } from '../workload/read-trace.ts';
import { type SeasonName, seasons } from '../workload/seasons.ts';
import { type Features, featuresOf } from './features.ts';
import { distance, fitSeason, generatedFeatures } from './search.ts';

const [name, file, generations] = process.argv.slice(2);
if (
  name === undefined ||
  !Object.hasOwn(seasons, name) ||
  file === undefined ||
  !/^\d*$/.test(generations ?? '')
) {
  console.error(`usage: npm run fit -- ${Object.keys(seasons).join('|')} FILE [GENERATIONS]`);
  process.exit(2);
}
const numbers = new Map<string, number>();
const trace = Int32Array.from((await readTrace(userPath(file))).keys, key => {
  if (!numbers.has(key)) numbers.set(key, numbers.size);
  return numbers.get(key)!;
});
const season =
  generations === undefined
    ? seasons[name as SeasonName]
    : fitSeason(trace, Number(generations), seededRandom(1));
const wanted = featuresOf(trace);
const fitted = generatedFeatures(season, trace.length);
const other = generatedFeatures(season, trace.length, [3]);
console.log(season);
console.table(
  Object.fromEntries(
    (Object.keys(wanted) as (keyof Features)[]).map(feature => [
      feature,
      {
        trace: percent(wanted[feature]),
        fitted: percent(fitted[feature]),
        'another seed': percent(other[feature]),
      },
    ]),
  ),
);
console.log(
  `squared distance ${distance(wanted, fitted).toFixed(1)}, another seed ${distance(wanted, other).toFixed(1)}`,
);

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
