import { alignedTable, type Screen } from '@workspace/program';
import { policyTitles } from '../policies.ts';
import { count, milliseconds, percent } from './format.ts';
import { ordersSummary } from './orders-summary.ts';
import type { Change, ReplayReport, Report } from './report.ts';
import { sharedTier } from './tier-summary.ts';

/** The report as people read it. */
export function summary(report: Report, screen: Screen): string {
  const { replays, changes, plot } = report;
  const { width } = screen;
  const parts = [
    overall(report, screen),
    plot === 'trouble' ? bySickness(replays, width) : byReplica(replays, width),
  ];
  if (replays.some(({ tier }) => tier !== undefined)) parts.push(sharedTier(replays, width));
  if (replays.some(({ orders }) => orders !== undefined)) parts.push(ordersSummary(replays, width));
  if (changes.length > 0) parts.push(moves(changes, width));
  const meaning = verdict(report);
  if (meaning !== undefined) parts.push(meaning);
  const start = report.warmUp === 0 ? 'cold at the start, as all were' : 'after the same warm-up';
  parts.push(`Replayed alone: what a cache of that policy and size hits of the same requests, ${start}.`);
  return parts.join('\n\n');
}

function overall({ replays, eviction }: Report, screen: Screen): string {
  const row = (name: string, cell: (replay: ReplayReport) => string) => [name, ...replays.map(cell)];
  const again = replays[0]!.replayed.map(({ eviction: name }, at) =>
    row(`  replayed by ${name} alone`, ({ replayed }) => percent(replayed[at]!.hitRatio)),
  );
  const text = alignedTable(
    [
      row('', ({ policy }) => policyTitles[policy]),
      row('requests', ({ requests }) => count(requests)),
      row('errors seen by the client', ({ errors }) => count(errors)),
      row('latency p50', ({ latency }) => milliseconds(latency.p50Ms)),
      row('latency p99', ({ latency }) => milliseconds(latency.p99Ms)),
      row('took over 500 ms', ({ late, requests }) => `${percent(late / requests)}`),
      row('hits', ({ hits }) => count(hits)),
      row('misses', ({ misses }) => count(misses)),
      row(`hit ratio, ${eviction}`, ({ hitRatio }) => percent(hitRatio)),
      ...again,
      row('replicas that cached a product', ({ copies }) => copies.toFixed(2)),
      row('tried again on another replica', ({ retries }) => count(retries)),
    ],
    screen.width,
  );
  const lost = replays.some(({ errors }) => errors > 0);
  const errorLine = /^errors.*$/gm;
  const why = replays.flatMap(({ reasons }) => Object.entries(reasons));
  const reasons = why.map(([reason, times]) => `\n  ${count(times)} × ${reason}`).join('');
  return text.replace(errorLine, line => screen.paint(lost ? 'red' : 'green', line)) + reasons;
}

function byReplica(replays: readonly ReplayReport[], width: number): string {
  const names = replays[0]!.replicas.map(({ replica, fate }) => [replica, fate] as const);
  const header = ['', ...replays.flatMap(({ policy }) => [policyTitles[policy], 'share', 'hit ratio'])];
  const rows = names.map(([name, fate]) => [
    fate === 'stayed' ? name : `${name}, ${fate}`,
    ...replays.flatMap(({ replicas }) => {
      const found = replicas.find(({ replica }) => replica === name);
      return found ? [count(found.requests), percent(found.share), percent(found.hitRatio)] : ['-', '-', '-'];
    }),
  ]);
  return alignedTable([header, ...rows], width);
}

/** What was asked of replicas that were not well, answered or not. */
function bySickness(replays: readonly ReplayReport[], width: number): string {
  const header = ['asked of', ...replays.map(({ policy }) => policyTitles[policy])];
  const rows = replays[0]!.replicas.map(({ replica, fate }, at) => [
    fate === 'stayed' ? replica : `${replica}, ${fate}`,
    ...replays.map(({ replicas }) => count(replicas[at]!.requests + replicas[at]!.failures)),
  ]);
  return alignedTable([header, ...rows], width);
}

function moves(changes: readonly Change[], width: number): string {
  const rows = changes.map(({ type, replica, products, moved, minimum, needless }) => [
    `${replica} ${type === 'joined' ? 'joins' : 'is killed'}`,
    `${count(moved)} of ${count(products)}`,
    percent(moved / products),
    `${count(minimum)}`,
    type === 'joined' ? 'an even share' : 'all that it had',
    count(needless),
  ]);
  return alignedTable([['products moved', '', '', 'minimum', '', 'needless'], ...rows], width);
}

/** What the comparison means, in a sentence. */
function verdict({ replays, replicas, cache, plot }: Report): string | undefined {
  if (plot === 'trouble') return troubles(replays);
  const sticky = replays.find(({ policy }) => policy === 'consistent');
  const other = replays.find(({ policy }) => policy !== 'consistent');
  if (sticky === undefined || other === undefined) return undefined;
  const points = (100 * (sticky.hitRatio - other.hitRatio)).toFixed(1);
  const caches = `${count(replicas)} caches of ${count(cache)} products work as one of ${count(replicas * cache)}`;
  return `Sticky, ${caches}: each product is cached once.
By ${policyTitles[other.policy]}, every replica caches the same popular ones: ${points} points less hit ratio, ${loads(sticky, other)} the loads from the database.`;
}

function troubles(replays: readonly ReplayReport[]): string {
  const [best] = replays.toSorted((a, b) => a.late / a.requests - b.late / b.requests);
  const late = percent(best!.late / best!.requests);
  return `Fewest answers of over half a second: ${policyTitles[best!.policy]}, ${late}.`;
}

function loads(sticky: ReplayReport, other: ReplayReport): string {
  return sticky.misses === 0 ? 'all' : `${(other.misses / sticky.misses).toFixed(1)} times`;
}
