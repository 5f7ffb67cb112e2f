import { locks } from './abilities/locks.ts';
import type { Trial } from './abilities/trial.ts';
import { values } from './abilities/values.ts';

/** As Markdown, one column for each who takes part. */
async function table(trials: readonly Trial[]): Promise<string> {
  const names = [...new Set(trials.flatMap(({ of }) => Object.keys(of)))];
  const lines = [
    ['', ...names],
    ['---', ...names.map(() => '---')],
  ];
  for (const { ability, of } of trials) {
    const line = [ability];
    for (const name of names) {
      const attempt = of[name];
      line.push(attempt === undefined ? '—' : (await attempt()) ? 'yes' : 'no');
    }
    process.stderr.write(`tried: ${ability}\n`);
    lines.push(line);
  }
  return lines.map(line => `| ${line.join(' | ')} |`).join('\n');
}

for (const make of [locks, values]) {
  await using group = await make();
  process.stdout.write(`${await table(group.trials)}\n\n`);
}
