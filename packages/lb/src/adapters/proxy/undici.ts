import { createRequire } from 'node:module';
import { MissingPeerError } from './errors.ts';

/**
 * What `#undici` is in Node itself, where a plain import would fail without saying what to do. Bundlers are given undici,
 * by their condition `module`: they would not find it in here.
 */
function load(): typeof import('undici') {
  try {
    return createRequire(import.meta.url)('undici') as typeof import('undici');
  } catch (cause) {
    throw new MissingPeerError('@ashlar/lb/proxy needs undici: run `npm install undici@7`', { cause });
  }
}

const undici = load();

export const buildConnector: typeof import('undici').buildConnector = undici.buildConnector;
export const Pool: typeof import('undici').Pool = undici.Pool;
