import { comparedEvictions, type EvictionName, evictionOf } from '../evictions.ts';
import { type Moves, movesBetween } from '../fleet/moves.ts';
import { type Latency, naturally, ratio } from '../load/tally.ts';
import type { OrdersReport } from '../orders/order-desk.ts';
import type { PolicyName } from '../policies.ts';
import type { Event, Plot } from '../replay/events.ts';
import type { Replay } from '../replay/replay.ts';
import type { Outage, Phase, TierWatch } from '../replay/tier-watch.ts';
import { hitsOf } from '../replay/what-if.ts';

type Fate = 'stayed' | 'killed' | 'joined' | 'slow' | 'failing';

/** What one replica did, as the client saw it. */
interface ReplicaReport {
  readonly replica: string;
  readonly fate: Fate;
  readonly requests: number;
  /** Of the requests that were answered. */
  readonly share: number;
  readonly hits: number;
  readonly hitRatio: number;
  /** Attempts on it that failed, which the client did not see if they were made again elsewhere. */
  readonly failures: number;
  /** Hits and misses that the replica has counted itself; unknown of one that was killed. */
  readonly counted?: { readonly hits: number; readonly misses: number };
}

interface Replayed {
  readonly eviction: EvictionName;
  readonly hits: number;
  readonly hitRatio: number;
}

interface TierReport {
  /** Found in the tier, by the replicas that ran to the end. */
  readonly hits: number;
  readonly outages: readonly Outage[];
  /** What was answered before the first outage, during outages, and after them. */
  readonly phases: Readonly<Record<'before' | 'during' | 'after', Phase & { readonly hitRatio: number }>>;
}

export interface ReplayReport {
  readonly policy: PolicyName;
  /** All that were sent: what the replicas answered, and the errors. */
  readonly requests: number;
  readonly errors: number;
  readonly reasons: Readonly<Record<string, number>>;
  readonly hits: number;
  readonly misses: number;
  readonly hitRatio: number;
  /** What bare maps of these policies hit of the same requests to the same replicas, without any shared tier. */
  readonly replayed: readonly Replayed[];
  readonly latency: Latency;
  /** Requests that took more than 500 ms. */
  readonly late: number;
  readonly elapsedMs: number;
  readonly retries: number;
  /** How many replicas served, and so cached, a product on average. */
  readonly copies: number;
  readonly replicas: readonly ReplicaReport[];
  readonly events: readonly Event[];
  /** Present when the replicas shared one. */
  readonly tier?: TierReport;
  /** Present when orders were taken. */
  readonly orders?: OrdersReport;
}

export interface Change extends Moves {
  readonly type: 'killed' | 'joined';
  readonly replica: string;
}

/** Everything that the main job finds out, safe as JSON. */
export interface Report {
  readonly workload: string;
  /** Requests that filled the caches before each replay; 0 when they were cold. */
  readonly warmUp: number;
  readonly products: number;
  readonly replicas: number;
  readonly cache: number;
  readonly eviction: EvictionName;
  /** What happened to the replicas; absent in a closed loop, where nothing does. */
  readonly plot?: Plot;
  readonly replays: readonly ReplayReport[];
  /** What each change of the replicas moves on the ring, where a replay was sticky. */
  readonly changes: readonly Change[];
}

/** `cache` is the size of each replica's. */
export function replayReport(replay: Replay, cache: number): ReplayReport {
  const { policy, tally, elapsedMs, retries, failures, events, counted, tier, orders } = replay;
  const { requests, errors, hits, hitRatio, latency, late, copies } = tally;
  const answered = requests - errors;
  const fates = new Map<string, Fate>(
    events.flatMap(({ type, replica }) =>
      type === 'ejected' || type === 'forgotten' ? [] : [[replica, type] as const],
    ),
  );
  // A newcomer may have answered nothing yet, and is shown all the same.
  const names = new Set([
    ...tally.replicas.keys(),
    ...counted.map(({ replica }) => replica),
    ...fates.keys(),
  ]);
  const replicas = [...names].sort(naturally).map((replica): ReplicaReport => {
    const seen = tally.replicas.get(replica) ?? { requests: 0, hits: 0 };
    const own = counted.find(stats => stats.replica === replica);
    return {
      replica,
      fate: fates.get(replica) ?? 'stayed',
      ...seen,
      share: ratio(seen.requests, answered),
      hitRatio: ratio(seen.hits, seen.requests),
      failures: failures.get(replica) ?? 0,
      ...(own === undefined ? {} : { counted: { hits: own.hits, misses: own.misses } }),
    };
  });
  const replayed = comparedEvictions.map((eviction): Replayed => {
    const again = hitsOf(evictionOf(eviction), cache, replay);
    return { eviction, hits: again, hitRatio: ratio(again, answered) };
  });
  return {
    policy,
    requests,
    errors,
    reasons: Object.fromEntries(tally.reasons),
    hits,
    misses: answered - hits,
    hitRatio,
    replayed,
    latency,
    late,
    elapsedMs,
    retries,
    copies,
    replicas,
    events,
    ...(tier === undefined ? {} : { tier: tierReport(tier, counted) }),
    ...(orders && { orders }),
  };
}

function tierReport({ outages, phases }: TierWatch, counted: Replay['counted']): TierReport {
  const phase = ({ requests, hits }: Phase) => ({ requests, hits, hitRatio: ratio(hits, requests) });
  return {
    hits: counted.reduce((sum, { tierHits }) => sum + tierHits, 0),
    outages,
    phases: { before: phase(phases.before), during: phase(phases.during), after: phase(phases.after) },
  };
}

/** What the events of a sticky replay did to the products, which are counted on the ring. */
export function changesOf(replay: Replay, products: Iterable<string>): Change[] {
  const keys = [...products];
  let before = replay.replicasAtStart;
  const changes: Change[] = [];
  for (const { type, replica, replicas } of replay.events) {
    if (type !== 'killed' && type !== 'joined') continue;
    changes.push({ type, replica, ...movesBetween(before, replicas, keys) });
    before = replicas;
  }
  return changes;
}
