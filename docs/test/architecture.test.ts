import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8');

/** What the map of a package names: files, and folders with a slash at their end. */
function mapOf(name: string): string[] {
  const [, map = ''] = page.split(`\n### ${name}\n`);
  const [, ...rows] = (map.split('\n## ')[0] ?? '')
    .split('\n### ')[0]!
    .split('\n')
    .filter(line => line.startsWith('|'));
  return rows.flatMap(row => [...row.split('|')[1]!.matchAll(/`([^`]+)`/g)].map(match => match[1]!));
}

function foldersIn(folder: string, below = ''): string[] {
  const entries = readdirSync(join(folder, below), { withFileTypes: true });
  return entries
    .filter(entry => entry.isDirectory())
    .flatMap(entry => [`${below}${entry.name}/`, ...foldersIn(folder, `${below}${entry.name}/`)]);
}

const packages = readdirSync(join(root, 'packages'), { withFileTypes: true })
  .filter(entry => entry.isDirectory() && foldersIn(join(root, 'packages', entry.name, 'src')).length > 0)
  .map(entry => entry.name);

describe('the maps of docs/architecture.md', () => {
  it.each(packages)('%s: every room is on the map, and all that the map names exists', name => {
    const src = join(root, 'packages', name, 'src');
    const map = mapOf(name);
    expect(map.filter(place => !existsSync(join(src, place)))).toEqual([]);
    // A folder that holds nothing but rooms is named by them
    const rooms = foldersIn(src).filter(room =>
      readdirSync(join(src, room), { withFileTypes: true }).some(entry => entry.isFile()),
    );
    const isShell = (room: string) =>
      !map.includes(room) &&
      rooms.some(other => other !== room && other.startsWith(room) && map.includes(other));
    expect(rooms.filter(room => !map.includes(room) && !isShell(room))).toEqual([]);
  });

  it('names only files that exist on the three paths', () => {
    const paths = page.split('\n## Three paths\n')[1]!.split('\n## ')[0]!;
    const files = [...paths.matchAll(/`([a-z0-9/-]+\.ts|[a-z-]+\/(?:[a-z-]+\/)?)`/g)].map(match => match[1]!);
    expect(files.length).toBeGreaterThan(20);
    const exists = (file: string) =>
      packages.some(name => existsSync(join(root, 'packages', name, 'src', file)));
    expect(files.filter(file => !exists(file))).toEqual([]);
  });
});
