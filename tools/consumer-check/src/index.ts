export type { Entry, Manifest, Package } from '@workspace/packaging';
export { publicPackages } from '@workspace/packaging';
export type { CheckOptions } from './check.ts';
export { checkPackages } from './check.ts';
export { Report } from './report.ts';
