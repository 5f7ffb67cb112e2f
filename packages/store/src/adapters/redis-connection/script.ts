import { createHash } from 'node:crypto';
import { integer, required, text } from '@ashlar/core';

/** A Lua script that the server keeps by its hash. */
export interface Script {
  readonly source: string;
  readonly sha: string;
  /** How many of the arguments are keys; of a script that takes any number of them, the least. */
  readonly keys: number;
}

const keysRule = required(integer(undefined, { min: 0 }));
const sourceRule = required(text());

/**
 * @param keys how many of the arguments are keys; of a script that takes any number of them, the least
 * @throws InvalidOptionError
 */
export function script(keys: number, source: string): Script {
  keysRule(keys, 'keys');
  sourceRule(source, 'source');
  return { source, keys, sha: createHash('sha1').update(source).digest('hex') };
}
