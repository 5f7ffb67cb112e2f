import type { IncomingMessage } from 'node:http';
import type { ConnectionOptions } from 'node:tls';
import { describe, InvalidOptionError, integerOption, knownOptions, numberOption } from '@ashlar/core';
import type { Key } from '@ashlar/hash-ring';

export type ProxyTlsOptions = Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'rejectUnauthorized'>;

export interface ReverseProxyOptions {
  /** What the request is about, for policies that keep equal keys together. None if absent. */
  readonly key?: (request: IncomingMessage) => Key | undefined;
  /**
   * The `Host` that upstream sees: the client's (`client`, if absent), as replicas of one site expect it, or that of the
   * endpoint's url (`endpoint`). TLS is checked against the endpoint's name either way.
   */
  readonly host?: 'client' | 'endpoint';
  /**
   * Whether the client is a proxy to be believed: then `X-Forwarded-*` and `Forwarded` are kept and the address is
   * appended to `X-Forwarded-For`. False if absent: what the client sends of these is dropped.
   */
  readonly trustForwarded?: boolean;
  /** How much of a response is held back while it may still have to come from elsewhere; 65 536 if absent. */
  readonly responseBufferBytes?: number;
  /** How much of a request body is kept to be sent again; 65 536 if absent. */
  readonly requestBufferBytes?: number;
  /** The longest head of a response, in bytes; 16 384 if absent. */
  readonly maxHeaderBytes?: number;
  /** For endpoints with an https url: who is trusted, and a certificate of one's own. Node's defaults if absent. */
  readonly tls?: ProxyTlsOptions;
  /** Connections to one endpoint at most; as many as requests if absent. */
  readonly connections?: number;
  /** To make a connection, to within a second; 2 000 if absent. */
  readonly connectTimeoutMs?: number;
  /** From the request being sent to the head of the response; 30 000 if absent. */
  readonly headersTimeoutMs?: number;
  /** Without a byte of a body, be it from upstream, from the client or taken by the client; 30 000 if absent. */
  readonly idleTimeoutMs?: number;
  /** For all attempts together, to the last byte from upstream; no limit if absent. */
  readonly timeoutMs?: number;
}

export interface ProxySettings {
  readonly key: (request: IncomingMessage) => Key | undefined;
  readonly host: 'client' | 'endpoint';
  readonly trustForwarded: boolean;
  readonly responseBufferBytes: number;
  readonly requestBufferBytes: number;
  readonly maxHeaderBytes: number;
  readonly tls: ProxyTlsOptions;
  readonly connections: number | null;
  readonly connectTimeoutMs: number;
  readonly headersTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly timeoutMs: number | undefined;
}

const names: readonly (keyof ReverseProxyOptions)[] = [
  'key',
  'host',
  'trustForwarded',
  'responseBufferBytes',
  'requestBufferBytes',
  'maxHeaderBytes',
  'tls',
  'connections',
  'connectTimeoutMs',
  'headersTimeoutMs',
  'idleTimeoutMs',
  'timeoutMs',
];

export function proxySettings(options: ReverseProxyOptions): ProxySettings {
  knownOptions('reverseProxy', options, names);
  const {
    key = () => undefined,
    host = 'client',
    trustForwarded = false,
    connections,
    timeoutMs,
    tls = {},
  } = options;
  if (typeof key !== 'function') {
    throw new InvalidOptionError('key', `\`key\` must be a function of the request, got ${describe(key)}`);
  }
  if (host !== 'client' && host !== 'endpoint') {
    throw new InvalidOptionError('host', `\`host\` must be 'client' or 'endpoint', got ${describe(host)}`);
  }
  knownOptions('tls', tls, ['ca', 'cert', 'key', 'rejectUnauthorized']);
  const bytes = (name: keyof ReverseProxyOptions, byDefault: number, min: number) =>
    integerOption(name, options[name] ?? byDefault, { min });
  const time = (name: keyof ReverseProxyOptions, byDefault: number) =>
    numberOption(name, options[name] ?? byDefault, { above: 0 });
  return {
    key,
    host,
    trustForwarded,
    responseBufferBytes: bytes('responseBufferBytes', 65_536, 0),
    requestBufferBytes: bytes('requestBufferBytes', 65_536, 0),
    maxHeaderBytes: bytes('maxHeaderBytes', 16_384, 1),
    tls,
    connections: connections === undefined ? null : integerOption('connections', connections, { min: 1 }),
    connectTimeoutMs: time('connectTimeoutMs', 2_000),
    headersTimeoutMs: time('headersTimeoutMs', 30_000),
    idleTimeoutMs: time('idleTimeoutMs', 30_000),
    timeoutMs: timeoutMs === undefined ? undefined : numberOption('timeoutMs', timeoutMs, { above: 0 }),
  };
}
