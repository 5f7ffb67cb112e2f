import type { ConnectionOptions } from 'node:tls';
import { boolean, durationMs, integer, type Rule, type RulesFor, readOptions, refused } from '@ashlar/core';

export type TlsOptions = Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'rejectUnauthorized'>;

/** How an adapter that sends HTTP requests itself connects to endpoints. */
export interface UpstreamOptions {
  /** How many bytes of a request body are buffered so that it can be sent again. Default: 65 536. */
  readonly requestBufferBytes?: number;
  /** The longest accepted head of a response, in bytes. Default: 16 384. */
  readonly maxHeaderBytes?: number;
  /** Trusted certificates and a client certificate, for endpoints with an https url. Default: those of Node. */
  readonly tls?: TlsOptions;
  /** The maximum number of connections to one endpoint. Default: no limit. */
  readonly connections?: number;
  /** The time to connect, in milliseconds, rounded up to a second. Default: 2 000. */
  readonly connectTimeoutMs?: number;
  /**
   * The time from the moment when the endpoint has taken the last byte of the request, or takes no more of it, to the head of
   * the response, in milliseconds. With a body it may take a quarter longer. Default: 30 000.
   */
  readonly headersTimeoutMs?: number;
  /** The longest gap between two bytes of a body, in milliseconds. Default: 30 000. */
  readonly idleTimeoutMs?: number;
}

export interface UpstreamSettings extends Required<Omit<UpstreamOptions, 'connections'>> {
  readonly connections: number | undefined;
}

/** A timer of Node with a longer delay fires at once. */
export const timer: { readonly above: number; readonly max: number } = { above: 0, max: 2 ** 31 - 1 };

const pem: Rule<TlsOptions['ca']> = (value, option) => {
  const isText = (each: unknown) => typeof each === 'string' || each instanceof Uint8Array;
  if (value === undefined || isText(value) || (Array.isArray(value) && value.length > 0)) {
    return value as TlsOptions['ca'];
  }
  throw refused(option, 'a PEM text, a Buffer or a list of them', value);
};

const tlsRules = {
  ca: pem,
  cert: pem as Rule<TlsOptions['cert']>,
  key: pem as Rule<TlsOptions['key']>,
  rejectUnauthorized: boolean(),
} satisfies RulesFor<TlsOptions>;

/** Returns what it is given: an option that is absent must not reach `tls.connect` as `undefined`. */
const tls: Rule<TlsOptions> = (value, option) => {
  if (value !== undefined) readOptions(`\`${option}\``, value, tlsRules, `${option}.`);
  return (value ?? {}) as TlsOptions;
};

export const upstreamRules: { readonly [Name in keyof UpstreamSettings]: Rule<UpstreamSettings[Name]> } = {
  requestBufferBytes: integer(65_536, { min: 0 }),
  maxHeaderBytes: integer(16_384, { min: 1 }),
  tls,
  connections: integer(undefined, { min: 1 }),
  connectTimeoutMs: durationMs(2_000, timer),
  headersTimeoutMs: durationMs(30_000, timer),
  idleTimeoutMs: durationMs(30_000, timer),
};
