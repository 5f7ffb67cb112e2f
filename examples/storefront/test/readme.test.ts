import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { readOptions } from '../src/cli/options.ts';
import { type SeasonName, seasons } from '../src/workload/seasons.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

it.each([
  ['wiring', '../src/proxy/main.ts'],
  ['cache', '../src/catalogue/product-cache.ts'],
])('shows the %s as %s has it', (region, file) => {
  const source = readFileSync(new URL(file, import.meta.url), 'utf8');
  const [, shown] = new RegExp(`// #region ${region}\n([^]*?)// #endregion`).exec(source) ?? [];
  expect(readme).toContain(shown);
});

it('shows how an order is taken as the desk does it', () => {
  const source = readFileSync(new URL('../src/orders/order-desk.ts', import.meta.url), 'utf8');
  const [, shown = 'no region'] = /\/\/ #region order\n([\s\S]*?) *\/\/ #endregion/.exec(source) ?? [];
  expect(readme).toContain(shown.replace(/^(?=.)/gm, '    '));
});

it('shows the figures of the seasons as they are', () => {
  for (const name of Object.keys(seasons) as SeasonName[]) {
    const figures = Object.values(seasons[name]).map(String);
    const row = readme.split('\n').find(line => line.startsWith(`| ${name} |`));
    const shown = row
      ?.split('|')
      .slice(2, -1)
      .map(cell => cell.replaceAll(' ', ''));
    expect(shown).toEqual(figures);
  }
});

it('has no command that the program refuses', () => {
  const commands = readme.matchAll(/^ {4}npm start -- (.*?)( {2,}.*)?$/gm);
  const lines = Array.from(commands, ([, line]) => line!.split(' '));
  expect(lines.length).toBeGreaterThan(3);
  for (const line of lines) expect(() => readOptions(line)).not.toThrow();
});
