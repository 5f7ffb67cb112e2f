import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const src = new URL('../src/', import.meta.url);

/** What a module of ours loads, and what these load, as far as they are ours; and what they load besides. */
function loadedBy(entry: string): ReadonlySet<string> {
  const loaded = new Set<string>();
  const look = (file: URL): void => {
    if (loaded.has(file.pathname)) return;
    loaded.add(file.pathname);
    const text = readFileSync(file, 'utf8').replace(/^(import|export) type [^;]*;/gm, '');
    for (const [, name = ''] of text.matchAll(/^(?:import|export|\}).*?'([^']+)';$/gm)) {
      if (name.startsWith('.')) look(new URL(name, file));
      else loaded.add(name);
    }
  };
  look(new URL(entry, src));
  return loaded;
}

const others = (entry: string) => [...loadedBy(entry)].filter(name => !name.startsWith('/')).sort();

describe('what runs in a browser', () => {
  it.each([
    ['index.ts', ['@ashlar/core', '@ashlar/hash-ring']],
    ['simulator.ts', ['@ashlar/core', '@ashlar/core/testing']],
  ])('loads nothing of Node: %s', (entry, expected) => {
    expect(others(entry)).toEqual(expected);
  });
});
