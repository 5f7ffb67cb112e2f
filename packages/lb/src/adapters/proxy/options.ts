import type { IncomingMessage } from 'node:http';
import {
  boolean,
  defaultTo,
  durationMs,
  functionOf,
  integer,
  oneOf,
  type RulesFor,
  readOptions,
} from '@ashlar/core';
import type { Key } from '@ashlar/hash-ring';
import { timer, type UpstreamOptions, upstreamRules } from '../http/options.ts';
import { type StickyOptions, type StickySettings, stickyRule } from './custom/affinity.ts';
import { type RewritingOptions, type RewritingSettings, rewritingRules } from './custom/rewriting.ts';
import type { Classify } from './custom/verdict.ts';

export interface ReverseProxyOptions extends UpstreamOptions, RewritingOptions {
  /** The key of a request, for policies with sticky sessions. Default: no key. */
  readonly key?: (request: IncomingMessage) => Key | undefined;
  /** Sticky sessions by a cookie that the proxy sets: a client stays with its endpoint while that is there. Default: none. */
  readonly sticky?: StickyOptions;
  /**
   * What a result means for the endpoint, as in `run`; `undefined` for the default. A failure is retried only where another
   * endpoint may still answer. Default: errors, status 500 and more, and 429 are failures, the last without blame; retried are
   * errors, 502, 503, 504, and a 429 with `Retry-After`.
   */
  readonly classify?: Classify;
  /**
   * The `Host` that endpoints receive: `client` is that of the request, as replicas of one site expect it, `endpoint`
   * that of the endpoint's url. Certificates are checked against the endpoint's name either way. Default: `client`.
   */
  readonly host?: 'client' | 'endpoint';
  /**
   * Whether the client is a trusted proxy: then its `X-Forwarded-*` and `Forwarded` pass, and its address is appended to
   * `X-Forwarded-For`. Otherwise they are dropped. Default: false.
   */
  readonly trustForwarded?: boolean;
  /** How many bytes of a response are held back while another endpoint may still take over. Default: 65 536. */
  readonly responseBufferBytes?: number;
  /**
   * The longest gap between two bytes of a body, in milliseconds: from the endpoint, from the client, or taken by the
   * client. Default: 30 000.
   */
  readonly idleTimeoutMs?: number;
  /**
   * How long both sides of a tunnel, as of a WebSocket, may be silent, in milliseconds. Its end counts against no endpoint.
   * Default: no limit.
   */
  readonly tunnelIdleTimeoutMs?: number;
  /** The time for all attempts together, to the last byte of the response, in milliseconds. Default: no limit. */
  readonly timeoutMs?: number;
}

type KeyOf = NonNullable<ReverseProxyOptions['key']>;

const rules = {
  key: defaultTo<KeyOf>(() => undefined, functionOf<KeyOf>('write `request => request.url`')),
  sticky: stickyRule,
  classify: functionOf<Classify>('write `result => ({ ok })`'),
  host: oneOf('client', ['client', 'endpoint']),
  trustForwarded: boolean(false),
  responseBufferBytes: integer(65_536, { min: 0 }),
  tunnelIdleTimeoutMs: durationMs(undefined, timer),
  timeoutMs: durationMs(undefined, { above: 0 }),
  ...rewritingRules,
  ...upstreamRules,
} satisfies RulesFor<ReverseProxyOptions>;

type Optional =
  | 'connections'
  | 'timeoutMs'
  | 'tunnelIdleTimeoutMs'
  | 'sticky'
  | 'classify'
  | keyof RewritingOptions;

export interface ProxySettings extends Required<Omit<ReverseProxyOptions, Optional>>, RewritingSettings {
  /** The name of this proxy in `Via`, unique among all, so that a loop is recognized. */
  readonly pseudonym: string;
  readonly connections: number | undefined;
  readonly timeoutMs: number | undefined;
  readonly tunnelIdleTimeoutMs: number | undefined;
  readonly sticky: StickySettings | undefined;
  readonly classify: Classify | undefined;
}

/** @throws InvalidOptionError */
export function proxySettings(options: unknown): ProxySettings {
  const pseudonym = `ashlar-${crypto.randomUUID().slice(0, 13)}`;
  return { ...readOptions('reverseProxy', options, rules), pseudonym };
}
