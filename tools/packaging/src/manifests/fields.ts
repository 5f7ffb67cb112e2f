import type { Manifest, Targets } from '../packages.ts';
import type { Home } from './home.ts';

/** The manifest with all that follows from the rest of it, from the package's folder in the repository and from where that is. */
export function completed(manifest: Manifest, directory: string, home: Home): Manifest {
  const exports = Object.fromEntries(
    Object.entries(manifest.exports ?? {}).map(([path, targets]) => [path, builtOf(targets)]),
  );
  const known = {
    author: home.author,
    repository: { type: 'git', url: home.repository, directory },
    homepage: `${home.web}/tree/main/${directory}#readme`,
    bugs: { url: `${home.web}/issues` },
  };
  const fields = { ...without(manifest, [...Object.keys(known), ...legacyFields]), exports };
  return placed(placed(fields, 'type', known), 'exports', legacy(exports));
}

/** The files that are made of a source, named after it. */
function builtOf(targets: Targets): Targets {
  const source = typeof targets === 'string' ? undefined : targets['@ashlar/source'];
  const path = typeof source === 'string' ? /^\.\/src\/(.+)\.ts$/.exec(source)?.[1] : undefined;
  if (source === undefined || path === undefined) return targets;
  return { '@ashlar/source': source, types: `./dist/${path}.d.ts`, default: `./dist/${path}.js` };
}

const legacyFields = ['main', 'types', 'typesVersions'];

/** What a TypeScript goes by that does not read `exports`, with `moduleResolution` `node10`. */
function legacy(exports: Readonly<Record<string, Targets>>): Record<string, unknown> {
  const entries = Object.entries(exports).flatMap(([path, targets]) =>
    typeof targets === 'string' ? [] : [{ path, types: targets['types'], file: targets['default'] }],
  );
  const root = entries.find(({ path }) => path === '.');
  const others = entries.filter(({ path }) => path !== '.');
  const versions = Object.fromEntries(others.map(({ path, types }) => [path.replace('./', ''), [types]]));
  return {
    ...(root && { main: root.file, types: root.types }),
    ...(others.length > 0 && { typesVersions: { '*': versions } }),
  };
}

function without(manifest: Manifest, fields: readonly string[]): Manifest {
  const kept = Object.entries(manifest).filter(([field]) => !fields.includes(field));
  return Object.fromEntries(kept) as unknown as Manifest;
}

/** With more fields before this one. */
function placed(manifest: Manifest, field: string, more: Readonly<Record<string, unknown>>): Manifest {
  const entries = Object.entries(manifest);
  const at = entries.findIndex(([name]) => name === field);
  return Object.fromEntries(entries.toSpliced(at, 0, ...Object.entries(more))) as unknown as Manifest;
}
