import { Keys, type Running, type Screen } from '@workspace/program';
import type { Options } from './cli/options.ts';
import { openCluster } from './clusters/open.ts';
import { picture, recentWrites } from './output/picture.ts';
import { type Report, reportOf } from './output/report.ts';
import { Harm } from './traffic/harm.ts';
import { performScript } from './traffic/script.ts';
import { Timeline } from './traffic/timeline.ts';
import { Traffic } from './traffic/traffic.ts';

const keysHelp = '1 2 3 choose   k kill   s stop   p pause replay   r undo that   q quit';
const liveMs = 100;
const pictureWidth = 64;

export interface Surroundings extends Running {
  readonly screen: Screen;
}

/** Runs the script, or does what is typed until `q`. Rejects with the signal's reason. */
export async function run(options: Options, around: Surroundings): Promise<Report> {
  const { screen, signal } = around;
  if (options.backend !== 'memory') screen.print(`starting servers (${options.backend}) …`);
  await using cluster = await openCluster(options.backend);
  // A primary that says nothing is dead only when two processes find it so
  await using _observer = await cluster.connect();
  await using shop = await cluster.connect();
  const startedAt = performance.now();
  const tell = (event: string) => {
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
    screen.print(`${seconds.padStart(6)} s  ${event}`);
  };
  await using harm = new Harm(cluster, shop, tell);
  screen.print(
    `A primary and two replicas, ${cluster.title}: ${cluster.ids.join(', ')}. One order after the other.`,
  );
  const isTyped = !options.script && screen.live && process.stdin.isTTY;
  using keys = isTyped ? new Keys(process.stdin, key => harm.press(key), around.interrupt) : undefined;
  if (keys !== undefined) screen.print(keysHelp);

  using timeline = new Timeline(shop, tell);
  const traffic = new Traffic(shop, call => timeline.note(call));
  try {
    const line = () => liveLine(cluster.ids, harm.chosen, timeline, traffic);
    using _line = screen.follow(line, liveMs);
    if (keys === undefined) await performScript({ shop, harm, traffic }, signal);
    else await keys.untilQuit(signal);
  } finally {
    await traffic[Symbol.asyncDispose]();
  }
  timeline[Symbol.dispose]();
  screen.print(`\n${picture(timeline.columns, cluster.ids, pictureWidth)}`);
  // Awaited here: what it asks is closed when this function is left
  return await reportOf(cluster.title, shop, traffic);
}

/** Everything at a glance, in less than 80 columns. */
function liveLine(ids: readonly string[], chosen: number, { columns }: Timeline, traffic: Traffic): string {
  const servers = columns.at(-1)?.servers ?? '';
  const states = ids.map((id, at) => (at === chosen ? `[${id} ${servers[at]}]` : ` ${id} ${servers[at]} `));
  const { acknowledged, unknown } = traffic;
  return `${states.join('')} ${recentWrites(columns, 20)} ${acknowledged.size} orders, ${unknown.size} unknown`;
}
