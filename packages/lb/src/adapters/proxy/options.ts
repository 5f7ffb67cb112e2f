import type { IncomingMessage } from 'node:http';
import { integerOption, knownOptions, numberOption } from '@ashlar/core';
import type { Key } from '@ashlar/hash-ring';
import { booleanOption, oneOf } from '../../util/option-checks.ts';
import {
  functionOption,
  type UpstreamOptions,
  type UpstreamSettings,
  upstreamNames,
  upstreamSettings,
} from '../http/options.ts';

export interface ReverseProxyOptions extends UpstreamOptions {
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
  /** Without a byte of a body, be it from upstream, from the client or taken by the client; 30 000 if absent. */
  readonly idleTimeoutMs?: number;
  /** For all attempts together, to the last byte from upstream; no limit if absent. */
  readonly timeoutMs?: number;
}

export interface ProxySettings extends UpstreamSettings {
  readonly key: (request: IncomingMessage) => Key | undefined;
  readonly host: 'client' | 'endpoint';
  readonly trustForwarded: boolean;
  readonly responseBufferBytes: number;
  readonly timeoutMs: number | undefined;
}

const names: readonly (keyof ReverseProxyOptions)[] = [
  'key',
  'host',
  'trustForwarded',
  'responseBufferBytes',
  'timeoutMs',
  ...upstreamNames,
];

export function proxySettings(options: ReverseProxyOptions): ProxySettings {
  knownOptions('reverseProxy', options, names);
  const { key = () => undefined, host = 'client', trustForwarded = false, timeoutMs } = options;
  const { responseBufferBytes = 65_536 } = options;
  return {
    ...upstreamSettings(options),
    key: functionOption('key', key),
    host: oneOf('host', host, ['client', 'endpoint']),
    trustForwarded: booleanOption('trustForwarded', trustForwarded),
    responseBufferBytes: integerOption('responseBufferBytes', responseBufferBytes, { min: 0 }),
    timeoutMs: timeoutMs === undefined ? undefined : numberOption('timeoutMs', timeoutMs, { above: 0 }),
  };
}
