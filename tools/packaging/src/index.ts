export { buildPackage } from './build/build.ts';
export type { Entry, Manifest, Package } from './packages.ts';
export { peersToInstall, publicPackages } from './packages.ts';
