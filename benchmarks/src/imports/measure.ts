import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { median } from '@workspace/bench';

/** What an import took: medians over the runs, in milliseconds. */
export interface Figures {
  readonly cpuMs: number;
  readonly wallMs: number;
}

// Not `performance`, which loads what some of the measured load
const program = `
  const [, specifier] = process.argv;
  const cpu = process.cpuUsage();
  const start = process.hrtime.bigint();
  await import(specifier);
  const wallMs = Number(process.hrtime.bigint() - start) / 1e6;
  const { user, system } = process.cpuUsage(cpu);
  console.log(JSON.stringify({ cpuMs: (user + system) / 1000, wallMs }));
  process.exit(); // some keep a timer`;

/** Imports each in a process of its own, in turns; a first round, not counted, fills the caches of the machine. */
export async function importTimes(
  specifiers: readonly string[],
  runs: number,
  onRound: (round: number) => void,
): Promise<Figures[]> {
  const taken: Figures[][] = specifiers.map(() => []);
  for (let round = 0; round <= runs; round++) {
    for (let i = 0; i < specifiers.length; i++) {
      const turn = (i + round) % specifiers.length;
      const figures = await importTime(specifiers[turn]!);
      if (round > 0) taken[turn]!.push(figures);
    }
    onRound(round);
  }
  return taken.map(all => ({
    cpuMs: median(all.map(({ cpuMs }) => cpuMs)),
    wallMs: median(all.map(({ wallMs }) => wallMs)),
  }));
}

async function importTime(specifier: string): Promise<Figures> {
  const args = ['--input-type=module', '--eval', program, specifier];
  const { NODE_OPTIONS: _, ...env } = process.env;
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname, env });
  return JSON.parse(stdout) as Figures;
}
