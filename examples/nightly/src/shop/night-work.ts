import { inChunks, Precompute, type WallClock } from '@ashlar/cron-precompute';
import type { Store } from '@ashlar/store';
import type { ViewLog } from './view-log.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

export interface NightWork {
  readonly bestSellers: Precompute<string, readonly string[]>;
  readonly related: Precompute<string, readonly string[]>;
}

// #region work
/** What the shop finds out at night. */
export function nightWork(store: Store, views: ViewLog, clock: WallClock): NightWork {
  const atNight = { store, clock, window: { from: '01:00', to: '06:00' } };
  // A clock that is thousands of times as fast makes stalls as long
  const patience = { leaseMs: 12 * hourMs, pollMs: 30 * minuteMs, graceMs: hourMs };
  const bestSellers = new Precompute<string, readonly string[]>({
    name: 'best-sellers',
    schedule: '0 3 * * *',
    source: async function* () {
      yield ['all', views.top(12)];
    },
    ...atNight,
    ...patience,
  });
  const related = new Precompute<string, readonly string[]>({
    name: 'related',
    schedule: '15 3 * * *',
    source: inChunks({
      chunks: () => shares(views.products(), 12),
      load: async products => {
        await clock.sleep(8 * minuteMs); // what the warehouse takes
        return products.map(product => [product, views.relatedTo(product, 4)] as const);
      },
      total: 12,
      concurrency: 1,
      clock,
    }),
    validate: { minEntries: 10 },
    ...atNight,
    ...patience,
  });
  return { bestSellers, related };
}
// #endregion work

function shares<T>(values: readonly T[], count: number): T[][] {
  const size = Math.ceil(values.length / count);
  return Array.from({ length: count }, (_, at) => values.slice(at * size, (at + 1) * size));
}
