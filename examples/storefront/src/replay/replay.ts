import { abortable, systemClock } from '@ashlar/core';
import type { BalancerSnapshot } from '@ashlar/lb';
import type { CatalogueStats } from '../catalogue/catalogue.ts';
import type { Fleet } from '../fleet/fleet.ts';
import { Client } from '../load/client.ts';
import { closedLoop, openLoop } from '../load/pace.ts';
import { Tally } from '../load/tally.ts';
import type { OrderDesk, OrdersReport } from '../orders/order-desk.ts';
import type { PolicyName } from '../policies.ts';
import { ChildError } from '../processes/child.ts';
import type { Event, Events } from './events.ts';
import type { TierWatch } from './tier-watch.ts';

type Pace = { readonly rate: number } | { readonly concurrency: number };

export interface ReplayOptions {
  readonly keys: readonly string[];
  /** Requests that fill the caches before. */
  readonly warmUp: readonly string[];
  readonly pace: Pace;
  /** What happens to the replicas on the way, if anything. */
  readonly events: Events | undefined;
  /** Follows the tier that the replicas share, if they do. */
  readonly tier: TierWatch | undefined;
  /** Where visitors order, if they can. */
  readonly desk: OrderDesk | undefined;
  readonly signal: AbortSignal;
  /** Called when the replay begins. */
  onStart?(tally: Tally): void;
}

export interface Replay {
  readonly policy: PolicyName;
  readonly keys: readonly string[];
  /** By replica: the requests that filled its cache before. */
  readonly warmUp: ReadonlyMap<string, readonly string[]>;
  /** By request: the replica that answered it. */
  readonly answeredBy: readonly (string | undefined)[];
  readonly replicasAtStart: readonly string[];
  readonly tally: Tally;
  /** From the first request to the last answer. */
  readonly elapsedMs: number;
  /** Attempts that the balancer made again on another replica. */
  readonly retries: number;
  /** Attempts that failed, by replica. */
  readonly failures: ReadonlyMap<string, number>;
  readonly events: readonly Event[];
  /** What each replica that still runs has counted itself. */
  readonly counted: readonly CatalogueStats[];
  readonly tier: TierWatch | undefined;
  readonly orders: OrdersReport | undefined;
}

const homeRequests = 400;
/** So many that wait are no load that a busy machine still works off, but one that it will never keep up with. */
const maxOpen = 25_000;

/** Requests the keys in order through the fleet's proxy. What fails is counted. @throws OverloadError, ChildError */
export async function replay(fleet: Fleet, options: ReplayOptions): Promise<Replay> {
  const { keys, pace, events, tier, desk, signal } = options;
  await using client = new Client(fleet.url);
  const tally = new Tally();
  const answeredBy: (string | undefined)[] = [];
  const { policy, announced: replicasAtStart } = fleet;
  const clock = systemClock;
  const send = async (index: number, dueMs: number) => {
    events?.reached(index);
    const key = keys[index]!;
    const seen = await client.product(key);
    if (signal.aborted) return; // the end has cut it off
    tally.add(key, seen, clock.now() - dueMs);
    tier?.answered(seen);
    desk?.visited(index, key);
    answeredBy[index] = seen.ok ? seen.replica : undefined;
  };
  await warmProcesses(client, signal);
  const warmUp = await abortable(fleet.warm(options.warmUp), signal);
  options.onStart?.(tally);
  tier?.start();
  const startMs = clock.now();
  const common = { requests: keys.length, clock, signal, send };
  await ('rate' in pace ? openLoop({ ...common, ...pace, maxOpen }) : closedLoop({ ...common, ...pace }));
  const elapsedMs = clock.now() - startMs;
  const orders = desk === undefined ? undefined : await abortable(desk.finished(), signal);
  const happened = (await events?.finished()) ?? [];
  const { retries, endpoints } = await client.json<BalancerSnapshot>('/balancer').catch(cause => {
    throw new ChildError('the proxy has ended', { cause });
  });
  const failures = new Map(endpoints.map(({ id, failed }) => [id, failed]));
  const counted = await Promise.all(Array.from(fleet.replicaUrls.values(), statsOf));
  const seen = {
    tally,
    elapsedMs,
    retries,
    failures,
    events: happened,
    counted: counted.flat(),
    tier,
    orders,
  };
  return { policy, replicasAtStart, keys, warmUp, answeredBy, ...seen };
}

/**
 * A process runs its first requests many times slower than later ones, for want of compiled code and connections, which
 * would be all that the 99th percentile shows. The home page leaves the caches as they are.
 */
async function warmProcesses(client: Client, signal: AbortSignal): Promise<void> {
  const send = () => client.home();
  await closedLoop({ requests: homeRequests, concurrency: 16, clock: systemClock, signal, send });
}

/** Nothing of a replica that has ended by itself. */
async function statsOf(url: string): Promise<CatalogueStats[]> {
  await using client = new Client(url);
  return await client.json<CatalogueStats>('/stats').then(
    stats => [stats],
    () => [],
  );
}
