import { once } from 'node:events';
import type { Options } from './cli/options.ts';
import { Fleet } from './fleet/fleet.ts';
import { count } from './output/format.ts';
import { eventLine, Progress } from './output/progress.ts';
import { changesOf, type Report, replayReport } from './output/report.ts';
import type { Screen } from './output/screen.ts';
import type { PolicyName } from './proxy/messages.ts';
import { Events } from './replay/events.ts';
import { type Replay, replay } from './replay/replay.ts';
import { loadWorkload, type Workload } from './workload/load-workload.ts';

export interface Surroundings {
  /** Where progress is shown. */
  readonly screen: Screen;
  /** Told what was found, unless nothing is replayed. */
  present(report: Report): void;
  readonly signal: AbortSignal;
}

/**
 * The main job. In an open loop the workload is replayed twice, each time to replicas with cold caches: sticky, with a
 * death and a birth on the way; and the same without policy. In a closed loop it is replayed once and nothing
 * happens. Every process that it starts has ended when it settles. Rejects with the signal's reason when that aborts.
 *
 * @throws TraceError, ChildError, OverloadError
 */
export async function run(options: Options, { screen, present, signal }: Surroundings): Promise<void> {
  const workload: Workload = options.requests === 0 ? { about: '', keys: [] } : await loadWorkload(options);
  if (workload.keys.length > 0) screen.print(introduction(options, workload));
  await using sticky = await start(options, 'consistent');
  if (options.servePort !== undefined) screen.print(invitation(sticky.url));
  if (workload.keys.length > 0) {
    const replays = [await show(sticky, options, workload, screen, signal)];
    if ('rate' in options.pace) {
      if (options.servePort === undefined) await sticky.close();
      await using plain = await start(options, 'round-robin');
      replays.push(await show(plain, options, workload, screen, signal));
    }
    present(reportOf(options, workload, replays));
  }
  if (options.servePort === undefined) return;
  if (workload.keys.length > 0) screen.print(`\n${invitation(sticky.url)}`);
  if (!signal.aborted) await once(signal, 'abort');
  throw signal.reason;
}

function start(options: Options, policy: PolicyName): Promise<Fleet> {
  // Only the sticky one is for visitors.
  const port = policy === 'consistent' ? (options.servePort ?? 0) : 0;
  return Fleet.start({ ...options, policy, port });
}

async function show(
  fleet: Fleet,
  { pace }: Options,
  { keys }: Workload,
  screen: Screen,
  signal: AbortSignal,
): Promise<Replay> {
  const title = fleet.policy === 'consistent' ? 'sticky     ' : 'round robin';
  const tell = (event: Parameters<typeof eventLine>[0]) => screen.print(eventLine(event, screen));
  const events = 'rate' in pace ? new Events(fleet, keys.length, () => performance.now(), tell) : undefined;
  let progress: Progress | undefined;
  const onStart = (tally: Replay['tally']) => {
    progress = new Progress(screen, title, keys.length, tally);
  };
  try {
    return await replay(fleet, { keys, pace, events, signal, onStart });
  } finally {
    progress?.[Symbol.dispose]();
  }
}

function reportOf(
  { replicas, cache }: Options,
  { about, keys }: Workload,
  replays: readonly Replay[],
): Report {
  const products = new Set(keys);
  return {
    workload: about,
    products: products.size,
    replicas,
    cache,
    replays: replays.map(replayReport),
    changes: changesOf(replays[0]!, products),
  };
}

function introduction({ pace, replicas, cache }: Options, { about, keys }: Workload): string {
  const whom = replicas === 1 ? 'one replica' : `${replicas} replicas`;
  const how = 'rate' in pace ? `twice, ${count(pace.rate)} a second` : `${count(pace.concurrency)} at a time`;
  return `${count(keys.length)} requests of ${about}: ${how}, to ${whom} with a cache of ${count(cache)} products each`;
}

function invitation(url: string): string {
  return `the shop is open at ${url} until Ctrl-C
  curl -i ${url}/product/42        again: the same replica answers, from its cache
  curl ${url}/balancer             what the balancer knows of its replicas`;
}
