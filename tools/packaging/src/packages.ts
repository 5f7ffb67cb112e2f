import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export type Targets = string | { readonly [condition: string]: Targets };

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly exports?: Readonly<Record<string, Targets>>;
  readonly imports?: Readonly<Record<string, Targets>>;
  readonly bin?: Targets;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
  readonly [field: string]: unknown;
}

/** What a program may import from a package. */
export interface Entry {
  /** As it is imported: `@ashlar/lb/proxy`. */
  readonly specifier: string;
  /** The files of the package that `exports` names for it, without `./`. */
  readonly files: readonly string[];
  readonly isJson: boolean;
  /** Only a backend may fail where its client library is missing. */
  readonly isAdapter: boolean;
}

export interface Package {
  readonly folder: string;
  readonly manifest: Manifest;
  readonly entries: readonly Entry[];
  /** The files of the package that `exports`, `imports` and `bin` name, without `./`. */
  readonly named: readonly string[];
  readonly optionalPeers: readonly string[];
}

/** The packages in the folders of `parent` that are published, in order of their name. */
export function publicPackages(parent: string): Package[] {
  return readdirSync(parent)
    .sort()
    .map(name => join(parent, name))
    .filter(folder => existsSync(join(folder, 'package.json')))
    .map(readPackage)
    .filter(({ manifest }) => manifest.private !== true);
}

export function readPackage(folder: string): Package {
  const manifest: Manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const optionalPeers = Object.keys(manifest.peerDependencies ?? {}).filter(
    peer => manifest.peerDependenciesMeta?.[peer]?.optional === true,
  );
  const { exports = {}, imports = {}, bin = {} } = manifest;
  const named = [exports, imports, bin].flatMap(filesOf).filter(file => /^(src|dist)\//.test(file));
  return { folder, manifest, entries: entriesOf(manifest), named: [...new Set(named)], optionalPeers };
}

function entriesOf({ name, exports = {} }: Manifest): Entry[] {
  return Object.entries(exports).map(([path, targets]) => {
    if (path.includes('*')) throw new Error(`${name}: \`exports\` has the pattern ${path}; name each entry`);
    const files = filesOf(targets);
    return {
      specifier: path.replace(/^\./, name),
      files,
      isJson: path.endsWith('.json'),
      isAdapter: files.some(file => file.startsWith('src/adapters/')),
    };
  });
}

/** What is named there, whatever the condition; files of the package without `./`. */
export function filesOf(targets: Targets): string[] {
  if (typeof targets !== 'string') return Object.values(targets).flatMap(filesOf);
  return [targets.replace(/^\.\//, '')];
}

/** What to give `npm install` so that the package's optional peers are there: the versions it is tested with. */
export function peersToInstall({ manifest, optionalPeers }: Package): string[] {
  return optionalPeers.map(
    peer => `${peer}@${manifest.devDependencies?.[peer] ?? manifest.peerDependencies?.[peer]}`,
  );
}
