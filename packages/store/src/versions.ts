import type { Version } from './store.ts';

/**
 * Versions that no other source, process or run ever returns: 72 random bits and a count. They rest on nothing that a
 * backend could lose.
 */
export function versionSource(): () => Version {
  const random = String.fromCharCode(...crypto.getRandomValues(new Uint8Array(9)));
  const source = btoa(random).replaceAll('+', '-').replaceAll('/', '_');
  let count = 0;
  return () => `${source}.${(count++).toString(36)}`;
}
