import type { ShardKey } from '../keys/key-column.ts';
import type { Route, Routes } from './routes.ts';

/** Where a key is, and why, in words and as data. */
export interface Explanation extends Route {
  readonly words: string;
  readonly key: ShardKey;
  /** The slot as PostgreSQL computes it, with `$1`, `$2` for the columns. */
  readonly sql: string;
}

export function explanationOf(routes: Routes, key: ShardKey): Explanation {
  const route = routes.of(key);
  const columns = typeof routes.map.key === 'string' ? ['$1'] : routes.map.key.map((_, i) => `$${i + 1}`);
  const why = routes.slots.words(route.slot);
  const which = why === undefined ? '' : `, which has ${why},`;
  const words = `slot ${route.slot} of ${routes.map.slots}${which} is on shard ${route.shard} in epoch ${route.epoch}`;
  return { ...route, words, key, sql: routes.slots.sql(columns) };
}
