export { buildPackage } from './build/build.ts';
export { completeManifests, manifestFaults, reasonNotToRelease } from './manifests/manifests.ts';
export type { Entry, Manifest, Package } from './packages.ts';
export { peersToInstall, publicPackages } from './packages.ts';
