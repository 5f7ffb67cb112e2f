import { createRequire } from 'node:module';
import { MissingPeerError } from '@ashlar/core';

/** By this name, tools that copy what a server needs find the library, as those of Nitro and Vercel do. */
const require = createRequire(import.meta.url);

/**
 * `#undici` in Node. A plain import would fail without naming the command that installs undici. Bundlers resolve
 * `#undici` to undici itself, by the condition `module`, as they cannot follow `createRequire`.
 */
function load(): typeof import('undici') {
  try {
    return require('undici') as typeof import('undici');
  } catch (cause) {
    throw new MissingPeerError('@ashlar/lb (proxy, undici)', 'undici', 'undici@7', { cause });
  }
}

const undici = load();

export const buildConnector: typeof import('undici').buildConnector = undici.buildConnector;
export const Client: typeof import('undici').Client = undici.Client;
export const Dispatcher: typeof import('undici').Dispatcher = undici.Dispatcher;
export const errors: typeof import('undici').errors = undici.errors;
export const Pool: typeof import('undici').Pool = undici.Pool;
