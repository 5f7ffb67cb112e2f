import type { ConnectionOptions } from 'node:tls';
import { describe, InvalidOptionError, integerOption, knownOptions, numberOption } from '@ashlar/core';

export type TlsOptions = Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'rejectUnauthorized'>;

/** How endpoints are talked to; the same for every adapter that sends HTTP requests itself. */
export interface UpstreamOptions {
  /** How much of a request body is kept to be sent again; 65 536 if absent. */
  readonly requestBufferBytes?: number;
  /** The longest head of a response, in bytes; 16 384 if absent. */
  readonly maxHeaderBytes?: number;
  /** For endpoints with an https url: who is trusted, and a certificate of one's own. Node's defaults if absent. */
  readonly tls?: TlsOptions;
  /** Connections to one endpoint at most; as many as requests if absent. */
  readonly connections?: number;
  /** To make a connection, to within a second; 2 000 if absent. */
  readonly connectTimeoutMs?: number;
  /** From the request being sent to the head of the response; 30 000 if absent. */
  readonly headersTimeoutMs?: number;
  /** Without a byte of a body; 30 000 if absent. */
  readonly idleTimeoutMs?: number;
}

export interface UpstreamSettings {
  readonly requestBufferBytes: number;
  readonly maxHeaderBytes: number;
  readonly tls: TlsOptions;
  readonly connections: number | null;
  readonly connectTimeoutMs: number;
  readonly headersTimeoutMs: number;
  readonly idleTimeoutMs: number;
}

export const upstreamNames: readonly (keyof UpstreamOptions)[] = [
  'requestBufferBytes',
  'maxHeaderBytes',
  'tls',
  'connections',
  'connectTimeoutMs',
  'headersTimeoutMs',
  'idleTimeoutMs',
];

/** A timer of Node that is to wait longer fires at once. */
const longestTimerMs = 2 ** 31 - 1;

/** @throws InvalidOptionError */
export function upstreamSettings(options: UpstreamOptions): UpstreamSettings {
  const { requestBufferBytes = 65_536, maxHeaderBytes = 16_384, tls = {}, connections } = options;
  const timer = { above: 0, max: longestTimerMs };
  const { connectTimeoutMs = 2_000, headersTimeoutMs = 30_000, idleTimeoutMs = 30_000 } = options;
  knownOptions('tls', tls, ['ca', 'cert', 'key', 'rejectUnauthorized']);
  return {
    requestBufferBytes: integerOption('requestBufferBytes', requestBufferBytes, { min: 0 }),
    maxHeaderBytes: integerOption('maxHeaderBytes', maxHeaderBytes, { min: 1 }),
    tls,
    connections: connections === undefined ? null : integerOption('connections', connections, { min: 1 }),
    connectTimeoutMs: numberOption('connectTimeoutMs', connectTimeoutMs, timer),
    headersTimeoutMs: numberOption('headersTimeoutMs', headersTimeoutMs, timer),
    idleTimeoutMs: numberOption('idleTimeoutMs', idleTimeoutMs, timer),
  };
}

/** @throws InvalidOptionError */
export function functionOption<T extends (...args: never[]) => unknown>(option: string, value: T): T {
  if (typeof value === 'function') return value;
  throw new InvalidOptionError(
    option,
    `\`${option}\` must be a function of the request, got ${describe(value)}`,
  );
}
