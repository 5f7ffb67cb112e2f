export type { CheckOptions } from './check.ts';
export { checkPackages } from './check.ts';
export type { Entry, Manifest, Package } from './packages.ts';
export { publicPackages } from './packages.ts';
export { Report } from './report.ts';
