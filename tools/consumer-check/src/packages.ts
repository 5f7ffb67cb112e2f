import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

type Targets = string | { readonly [condition: string]: Targets };

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly exports?: Readonly<Record<string, Targets>>;
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

function readPackage(folder: string): Package {
  const manifest: Manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const optionalPeers = Object.keys(manifest.peerDependencies ?? {}).filter(
    peer => manifest.peerDependenciesMeta?.[peer]?.optional === true,
  );
  return { folder, manifest, entries: entriesOf(manifest), optionalPeers };
}

function entriesOf({ name, exports = {} }: Manifest): Entry[] {
  return Object.entries(exports).map(([path, targets]) => {
    if (path.includes('*')) throw new Error(`${name}: \`exports\` has the pattern ${path}; name each entry`);
    const files = filesOf(targets).map(file => file.replace(/^\.\//, ''));
    return {
      specifier: path.replace(/^\./, name),
      files,
      isJson: path.endsWith('.json'),
      isAdapter: files.some(file => file.startsWith('src/adapters/')),
    };
  });
}

function filesOf(targets: Targets): string[] {
  return typeof targets === 'string' ? [targets] : Object.values(targets).flatMap(filesOf);
}

/** What to give `npm install` so that the package's optional peers are there: the versions it is tested with. */
export function peersToInstall({ manifest, optionalPeers }: Package): string[] {
  return optionalPeers.map(
    peer => `${peer}@${manifest.devDependencies?.[peer] ?? manifest.peerDependencies?.[peer]}`,
  );
}
