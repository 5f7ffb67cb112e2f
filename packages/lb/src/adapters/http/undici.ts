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
    const message = '@ashlar/lb/proxy and @ashlar/lb/undici need undici: run `npm install undici@7`';
    throw new MissingPeerError(message, { cause });
  }
}

const undici = load();

export const buildConnector: typeof import('undici').buildConnector = undici.buildConnector;
export const Dispatcher: typeof import('undici').Dispatcher = undici.Dispatcher;
export const errors: typeof import('undici').errors = undici.errors;
export const Pool: typeof import('undici').Pool = undici.Pool;
