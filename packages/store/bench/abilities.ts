import { markdownTable, runCommand } from '@workspace/program';
import { locks } from './abilities/locks.ts';
import type { Trial } from './abilities/trial.ts';
import { values } from './abilities/values.ts';

await runCommand({
  name: 'compare',
  about: `npm run compare -w @ashlar/store

Tries what each of several libraries can do, and prints who could.`,
  flags: {},
  async run() {
    for (const make of [locks, values]) {
      await using group = await make();
      process.stdout.write(`${await table(group.trials)}\n\n`);
    }
  },
});

/** One column for each who takes part. */
async function table(trials: readonly Trial[]): Promise<string> {
  const names = [...new Set(trials.flatMap(({ of }) => Object.keys(of)))];
  const rows = [['', ...names]];
  for (const { ability, of } of trials) {
    const row = [ability];
    for (const name of names) {
      const attempt = of[name];
      row.push(attempt === undefined ? '—' : (await attempt()) ? 'yes' : 'no');
    }
    process.stderr.write(`tried: ${ability}\n`);
    rows.push(row);
  }
  return markdownTable(rows);
}
