import { createHash } from 'node:crypto';

/** A script that the server keeps by its hash. */
export interface Script {
  readonly source: string;
  readonly sha: string;
  /** How many of the arguments are keys; of a script that takes any number, how many at least. */
  readonly keys: number;
}

/** `keys`: how many of the arguments are keys. */
export function script(keys: number, source: string): Script {
  return { source, keys, sha: createHash('sha1').update(source).digest('hex') };
}
