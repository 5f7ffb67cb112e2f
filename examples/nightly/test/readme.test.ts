import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { readOptions } from '../src/cli/options.ts';

const text = (file: string) => readFileSync(new URL(file, import.meta.url), 'utf8');
const readme = text('../README.md');

it('shows the work as it is', () => {
  const [, region = 'no region'] =
    /\/\/ #region \w+\n([\s\S]*?) *\/\/ #endregion/.exec(text('../src/shop/night-work.ts')) ?? [];
  expect(readme).toContain(region.replace(/^(?=.)/gm, '    '));
});

it('has no command that the program refuses', () => {
  const commands = Array.from(readme.matchAll(/examples\/nightly -- (.*)$/gm), ([, line]) => line!);
  expect(commands.length).toBeGreaterThan(1);
  for (const line of commands) expect(() => readOptions(line.split(' '))).not.toThrow();
});
