import { createRequire } from 'node:module';
import { MissingPeerError } from './errors.ts';

function load(): typeof import('undici') {
  try {
    // A plain import would fail without saying what to do
    return createRequire(import.meta.url)('undici') as typeof import('undici');
  } catch (cause) {
    throw new MissingPeerError('@ashlar/lb/proxy needs undici: run `npm install undici@7`', { cause });
  }
}

export const undici: typeof import('undici') = load();
