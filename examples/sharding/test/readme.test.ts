import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { readOptions } from '../src/cli/options.ts';

const text = (file: string) => readFileSync(new URL(file, import.meta.url), 'utf8');
const readme = text('../README.md');

it.each(['../src/traffic/traffic.ts', '../src/moving.ts', '../src/shards/postgres.ts'])(
  'shows %s as it is',
  file => {
    const [, region = 'no region'] = /\/\/ #region \w+\n([\s\S]*?) *\/\/ #endregion/.exec(text(file)) ?? [];
    expect(readme).toContain(region.replace(/^(?=.)/gm, '    '));
  },
);

it('has no command that the program refuses', () => {
  const commands = Array.from(
    readme.matchAll(/examples\/sharding -- (.*?)(?: {2,}.*)?$/gm),
    ([, line]) => line!,
  );
  expect(commands.length).toBeGreaterThan(3);
  for (const line of commands) expect(() => readOptions(line.split(' '))).not.toThrow();
});
