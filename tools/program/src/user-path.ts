import { resolve } from 'node:path';

/** A path as the user meant it: npm runs scripts in the folder of their package and passes on where it was called. */
export function userPath(path: string): string {
  const { INIT_CWD = process.cwd() } = process.env;
  return resolve(INIT_CWD, path);
}
