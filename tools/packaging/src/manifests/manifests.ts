import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type Package, publicPackages } from '../packages.ts';
import { completed } from './fields.ts';
import { type Home, readHome, webOf } from './home.ts';
import { absoluteLinks, deadLinks } from './links.ts';

/** What is out of order in the manifests and READMEs of the packages in `packages/`; one line each. */
export function manifestFaults(root: string): string[] {
  const home = readHome(root);
  return publicPackages(join(root, 'packages')).flatMap(one => [
    ...documentsOf(root, one, home)
      .filter(({ is, ought }) => is !== ought)
      .map(({ file }) => `${file} is out of date: run \`npm run manifests -- --write\``),
    ...faultsOf(root, one, home),
  ]);
}

/** Writes into the manifests what follows from the rest of them, and makes the links of the READMEs absolute. */
export function completeManifests(root: string): void {
  const home = readHome(root);
  for (const one of publicPackages(join(root, 'packages'))) {
    for (const { file, ought } of documentsOf(root, one, home)) writeFileSync(join(root, file), ought);
  }
}

/** Why the packages cannot be published from where the workspace says that it is; undefined when they can. */
export function reasonNotToRelease(root: string): string | undefined {
  const { repository, isPlaceholder } = readHome(root);
  if (!isPlaceholder) return undefined;
  return `${repository} is a placeholder: put the repository's address into the package.json of the workspace, and run \`npm run manifests -- --write\``;
}

interface Document {
  readonly file: string;
  readonly is: string;
  readonly ought: string;
}

function documentsOf(root: string, { folder, manifest }: Package, home: Home): Document[] {
  const directory = relative(root, folder);
  const { url } = (manifest['repository'] ?? { url: home.repository }) as { readonly url: string };
  const place = { root, directory, web: home.web };
  const document = (name: string, oughtOf: (is: string) => string) => {
    const is = readFileSync(join(folder, name), 'utf8');
    return { file: `${directory}/${name}`, is, ought: oughtOf(is) };
  };
  return [
    document('package.json', () => `${JSON.stringify(completed(manifest, directory, home), null, 2)}\n`),
    document('README.md', is => absoluteLinks(is, place, webOf(url))),
  ];
}

function faultsOf(root: string, { folder, manifest }: Package, { web }: Home): string[] {
  const directory = relative(root, folder);
  const { keywords } = manifest;
  const dead = deadLinks(readFileSync(join(folder, 'README.md'), 'utf8'), { root, directory, web });
  return [
    ...(Array.isArray(keywords) && keywords.length > 0
      ? []
      : [`${directory}/package.json has no \`keywords\``]),
    ...dead.map(link => `${directory}/README.md links ${link}, where nothing is`),
  ];
}
