export { Cache, CacheClosedError, LoadError, LoadTimeoutError } from '../../src/index.ts';

import { InvalidOptionError } from '@ashlar/core';
import { expect } from 'vitest';

/** Matches the error that names an option. */
export function InvalidOptionErrorOf(message: string): Error {
  return expect.objectContaining({
    code: InvalidOptionError.code,
    message: expect.stringContaining(message),
  }) as Error;
}
