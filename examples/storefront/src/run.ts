import { once } from 'node:events';
import type { Screen } from '@workspace/program';
import type { Options } from './cli/options.ts';
import { Fleet } from './fleet/fleet.ts';
import type { OrderDesk } from './orders/order-desk.ts';
import { count } from './output/format.ts';
import { orderLine } from './output/orders-summary.ts';
import { eventLine, outageLine, Progress } from './output/progress.ts';
import { changesOf, type Report, replayReport } from './output/report.ts';
import { type PolicyName, policyTitles } from './policies.ts';
import { Events } from './replay/events.ts';
import { type Replay, replay } from './replay/replay.ts';
import { type Outage, TierWatch } from './replay/tier-watch.ts';
import { loadWorkload, type Workload } from './workload/load-workload.ts';

export interface Surroundings {
  /** Where progress is shown. */
  readonly screen: Screen;
  /** Called with what was found, unless nothing is replayed. */
  present(report: Report): void;
  readonly signal: AbortSignal;
}

/**
 * The main job. In an open loop the workload is replayed once for each policy, each time to new replicas with caches warmed
 * alike, to which things happen on the way; in a closed loop once, and nothing happens. Every process that it starts has ended when
 * it settles. Rejects with the signal's reason when that aborts.
 *
 * @throws TraceError, ChildError, RedisError, ServersError, OverloadError
 */
export async function run(options: Options, { screen, present, signal }: Surroundings): Promise<void> {
  const workload: Workload =
    options.requests === 0 ? { about: '', keys: [], warmUp: [] } : await loadWorkload(options);
  const [first, ...others] = options.policies;
  const isServing = options.servePort !== undefined;
  if (workload.keys.length > 0) screen.print(introduction(options, workload));
  await using fleet = await Fleet.start({ ...options, policy: first!, port: options.servePort ?? 0 });
  if (isServing) screen.print(invitation(fleet));
  if (workload.keys.length > 0) {
    const replays = [await show(fleet, options, workload, screen, signal)];
    if (!isServing) await fleet.close();
    for (const policy of others) {
      await using another = await Fleet.start({ ...options, policy, port: 0 });
      replays.push(await show(another, options, workload, screen, signal));
    }
    present(reportOf(options, workload, replays));
  }
  if (!isServing) return;
  if (workload.keys.length > 0) screen.print(`\n${invitation(fleet)}`);
  if (!signal.aborted) await once(signal, 'abort');
  throw signal.reason;
}

/** Only then what it needs is loaded, which takes a while. */
async function openDesk(...given: Parameters<typeof OrderDesk.open>): Promise<OrderDesk> {
  const { OrderDesk } = await import('./orders/order-desk.ts');
  return OrderDesk.open(...given);
}

async function show(
  fleet: Fleet,
  { pace, plot, redisUrl, postgres }: Options,
  { keys, warmUp }: Workload,
  screen: Screen,
  signal: AbortSignal,
): Promise<Replay> {
  const showEvent = (event: Parameters<typeof eventLine>[0]) => screen.print(eventLine(event, screen));
  const now = () => performance.now();
  const showOutage = (outage: Outage) => screen.print(outageLine(outage, screen));
  const tier = redisUrl === undefined ? undefined : new TierWatch(fleet, now, showOutage);
  const events = 'rate' in pace ? new Events(fleet, plot, keys.length, now, showEvent) : undefined;
  if (postgres) screen.print('starting a primary and two standbys of PostgreSQL, for the orders');
  await using desk = postgres
    ? await openDesk(keys.length, event => signal.aborted || screen.print(orderLine(event)))
    : undefined;
  let progress: Progress | undefined;
  const onStart = (tally: Replay['tally']) => {
    progress = new Progress(screen, titleOf(fleet.policy), keys.length, tally);
  };
  try {
    return await replay(fleet, { keys, warmUp, pace, events, tier, desk, signal, onStart });
  } finally {
    progress?.[Symbol.dispose]();
  }
}

const widest = Math.max(...Object.values(policyTitles).map(({ length }) => length));

/** As wide as any other. */
function titleOf(policy: PolicyName): string {
  return policyTitles[policy].padEnd(widest);
}

function reportOf(
  { replicas, cache, eviction, pace, plot }: Options,
  { about, keys, warmUp }: Workload,
  replays: readonly Replay[],
): Report {
  const products = new Set(keys);
  const sticky = replays.find(({ policy }) => policy === 'consistent');
  return {
    workload: about,
    warmUp: warmUp.length,
    products: products.size,
    replicas,
    cache,
    eviction,
    ...('rate' in pace ? { plot } : {}),
    replays: replays.map(one => replayReport(one, cache)),
    changes: sticky === undefined ? [] : changesOf(sticky, products),
  };
}

function introduction(options: Options, { about, keys, warmUp }: Workload): string {
  const { pace, policies, replicas, cache, eviction } = options;
  const whom = replicas === 1 ? 'one replica' : `${replicas} replicas`;
  const speed = 'rate' in pace ? `${count(pace.rate)} a second` : `${count(pace.concurrency)} at a time`;
  const how = [...(policies.length > 1 ? [times(policies.length)] : []), speed].join(', ');
  const start =
    warmUp.length === 0
      ? 'caches are cold at the start'
      : `caches are warmed first, with the ${count(warmUp.length)} requests before those`;
  return `${count(keys.length)} requests of ${about}: ${how},
to ${whom} with a cache of ${count(cache)} products each, ${eviction};
${start}`;
}

function times(number: number): string {
  return number === 2 ? 'twice' : `${number} times`;
}

function invitation({ url, policy }: Fleet): string {
  const again = policy === 'consistent' ? '        again: the same replica answers, from its cache' : '';
  return `the shop is open at ${url} until Ctrl-C
  curl -i ${url}/product/42${again}
  curl ${url}/balancer             what the balancer knows of its replicas`;
}
