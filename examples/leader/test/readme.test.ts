import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { readOptions } from '../src/cli/options.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

it('shows the wiring as the contender has it', () => {
  const source = readFileSync(new URL('../src/contender/main.ts', import.meta.url), 'utf8');
  const [, wiring] = /\/\/ #region wiring\n([\s\S]*?)\/\/ #endregion/.exec(source) ?? [];
  expect(readme).toContain(wiring);
});

it('has no command that the program refuses', () => {
  const commands = Array.from(
    readme.matchAll(/examples\/leader -- (.*?)(?: {2,}.*)?$/gm),
    ([, line]) => line!,
  );
  expect(commands.length).toBeGreaterThan(3);
  for (const line of commands) expect(() => readOptions(line.split(' '))).not.toThrow();
});
