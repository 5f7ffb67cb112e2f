import { Keys, type Running, type Screen } from '@workspace/program';
import type { Options } from './cli/options.ts';
import { Choice, keysHelp } from './election/choice.ts';
import { Election } from './election/election.ts';
import { performScript } from './election/script.ts';
import { eventLine, liveLine } from './output/lines.ts';
import { type Report, reportOf } from './output/report.ts';

const liveMs = 100;

export interface Surroundings extends Running {
  readonly screen: Screen;
}

/** Runs the script, or does what is typed until `q`. Rejects with the signal's reason. */
export async function run(options: Options, around: Surroundings): Promise<Report> {
  const { screen, signal } = around;
  const { place, ttlMs } = options;
  const startedAt = performance.now();
  await using election = await Election.open(options);
  const choice = canType(options, screen) ? new Choice(election.contenders) : undefined;
  using keys = choice && new Keys(process.stdin, key => choice.press(key), around.interrupt);

  const where = place.backend === 'memory' ? "in this process's memory" : `in ${place.backend}`;
  screen.print(`Three processes, one lease of ${ttlMs} ms, ${where}; the leader adds to the counter.`);
  if (keys !== undefined) screen.print(keysHelp);
  election.on('event', (contender, event) => {
    const line = eventLine(contender, event, election);
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
    if (line !== undefined) screen.print(`${seconds.padStart(6)} s  ${line}`);
  });
  using _line = screen.follow(() => liveLine(election, choice?.chosen), liveMs);

  let expected: number | undefined;
  if (keys === undefined) expected = await performScript(election, ttlMs, signal);
  else await keys.untilQuit(signal);
  const counter = await election.readCounter();
  return reportOf(election.ledger, { backend: place.backend, ttlMs, counter }, expected);
}

function canType({ script }: Options, screen: Screen): boolean {
  return !script && screen.live && process.stdin.isTTY;
}
