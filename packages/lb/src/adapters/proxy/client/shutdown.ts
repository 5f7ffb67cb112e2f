import type { Server } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import {
  durationMs,
  objectWith,
  type RulesFor,
  readOptions,
  required,
  signal,
  withDeadline,
} from '@ashlar/core';

export interface ShutdownOptions {
  /** How long what is in flight may take to end, in milliseconds, above 0; then it is aborted. Default: 30 000. */
  readonly timeoutMs?: number;
  /** Aborts at once what is still in flight. */
  readonly signal?: AbortSignal;
}

const rules = {
  timeoutMs: durationMs(30_000, { above: 0 }),
  signal: signal(),
} satisfies RulesFor<ShutdownOptions>;

const advice = 'write what `createServer` or `listen` of Express returned, in Fastify `app.server`';
const serverRule = required(objectWith<Server>(['close', 'closeIdleConnections'], advice), advice);

/** How often idle connections are closed: requests may also have ended outside the proxy. */
const sweepMs = 50;

/**
 * Lets the server accept nothing new. Resolves when its connections and `inFlight` have ended, or the time is over. A
 * connection ends with its next response.
 *
 * @throws InvalidOptionError
 */
export async function drained(
  server: Server | HttpsServer,
  options: ShutdownOptions,
  inFlight: () => Promise<void>,
): Promise<void> {
  serverRule(server, 'server');
  const { timeoutMs, signal: stop } = readOptions('shutdown', options, rules);
  server.prependListener('request', (_request, response) => {
    response.shouldKeepAlive = false;
  });
  const closed = new Promise<void>(resolve => void server.close(() => resolve()));
  const sweep = setInterval(() => server.closeIdleConnections(), sweepMs);
  try {
    const late = () => new Error(`not over in ${timeoutMs} ms`);
    await withDeadline({ timeoutMs, signal: stop, late }, () => Promise.all([closed, inFlight()]));
  } catch {
    // What is left is aborted
  } finally {
    clearInterval(sweep);
  }
}
