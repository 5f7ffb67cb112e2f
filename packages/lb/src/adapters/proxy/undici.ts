import { createRequire } from 'node:module';
import { AshlarError } from '@ashlar/core';

/** The client library of the proxy is not installed. */
export class MissingPeerError extends AshlarError {
  static override readonly code: string = 'ASHLAR_MISSING_PEER';
}

function load(): typeof import('undici') {
  try {
    // A plain import would fail without saying what to do
    return createRequire(import.meta.url)('undici') as typeof import('undici');
  } catch (cause) {
    throw new MissingPeerError('@ashlar/lb/proxy needs undici: run `npm install undici@7`', { cause });
  }
}

export const undici: typeof import('undici') = load();
