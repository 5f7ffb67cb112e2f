import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as core from '../src/index.ts';
import * as testing from '../src/testing.ts';

const root = new URL('../', import.meta.url);
const readme = readFileSync(new URL('README.md', root), 'utf8');

/** The types that a file exports, by its text, as they are gone when it runs. */
function typesOf(file: string): string[] {
  const text = readFileSync(new URL(`src/${file}`, root), 'utf8');
  const exported = text.matchAll(/export type \{([^}]*)\}|\{([^}]*)\}/g);
  return [...exported].flatMap(([, all, some]) =>
    all === undefined
      ? [...(some ?? '').matchAll(/\btype (\w+)/g)].map(([, name]) => name!)
      : all
          .split(',')
          .map(name => name.trim())
          .filter(name => name !== ''),
  );
}

describe('the README', () => {
  for (const [file, values] of [
    ['index.ts', Object.keys(core)],
    ['testing.ts', Object.keys(testing)],
  ] as const) {
    it(`names what ${file} exports`, () => {
      const names = [...values, ...typesOf(file)];
      expect(names.length).toBeGreaterThan(3);
      expect(names.filter(name => !new RegExp(`\`[^\`]*\\b${name}\\b[^\`]*\``).test(readme))).toEqual([]);
    });
  }
});
