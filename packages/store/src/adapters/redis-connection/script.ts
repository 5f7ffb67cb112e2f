import { createHash } from 'node:crypto';

/** A Lua script that the server keeps by its hash. */
export interface Script {
  readonly source: string;
  readonly sha: string;
  /** How many of the arguments are keys; of a script that takes any number of them, the least. */
  readonly keys: number;
}

/** @param keys how many of the arguments are keys; of a script that takes any number of them, the least */
export function script(keys: number, source: string): Script {
  return { source, keys, sha: createHash('sha1').update(source).digest('hex') };
}
