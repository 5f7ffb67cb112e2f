import type { IncomingHttpHeaders } from 'node:http';
import {
  defaultTo,
  functionOf,
  InvalidOptionError,
  objectWith,
  oneOf,
  type Rule,
  type RulesFor,
  readOptions,
  refused,
} from '@ashlar/core';
import type { Key } from '@ashlar/hash-ring';
import type { Dispatcher } from 'undici';
import type { Endpoint } from '../../endpoint.ts';
import type { Verdict } from '../../request.ts';
import { type UpstreamOptions, type UpstreamSettings, upstreamRules } from '../http/options.ts';

/** How an attempt went: the head of a response, or an error. */
export type DispatchResult = DispatchAnswer | DispatchFailure;

export interface DispatchAnswer {
  readonly request: Dispatcher.DispatchOptions;
  readonly endpoint: Endpoint;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly error?: undefined;
}

export interface DispatchFailure {
  readonly request: Dispatcher.DispatchOptions;
  readonly endpoint: Endpoint;
  readonly error: unknown;
  readonly status?: undefined;
}

type Classify = (result: DispatchResult) => Verdict | undefined;

export interface BalancedDispatcherOptions extends UpstreamOptions {
  /** The key of a request, for policies with sticky sessions. Default: no key. */
  readonly key?: (request: Dispatcher.DispatchOptions) => Key | undefined;
  /**
   * What a result means for the endpoint, as in `run`; `undefined` for the default. It is called with the head of a response,
   * and once more with the error if its body breaks. A failure is retried only where another endpoint may still answer.
   * Default: errors, status 500 and more, and 429 are failures, the last without blame; retried are errors, 502, 503, 504,
   * and a 429 with `Retry-After`.
   */
  readonly classify?: Classify;
  /**
   * The `Host` of a request that has none of its own: `request` takes that of the requested url, as replicas of one site
   * expect it, `endpoint` that of the endpoint's url. Certificates are checked against the endpoint's name either way.
   * Default: `request`.
   */
  readonly host?: 'request' | 'endpoint';
  /**
   * The origin that the endpoints serve, as `http://shop`. A request to another origin, as after a redirect, goes to
   * `otherwise`, or is refused. Default: every request goes to the endpoints.
   */
  readonly origin?: string | URL;
  /** Takes the requests to other origins. The dispatcher does not close it. */
  readonly otherwise?: Dispatcher;
}

const originRule: Rule<string | undefined> = (value, option) => {
  if (value === undefined) return undefined;
  if ((typeof value === 'string' || value instanceof URL) && URL.canParse(String(value))) {
    const { origin } = new URL(value);
    if (origin !== 'null') return origin;
  }
  throw refused(option, 'a url', value, 'write an origin with its protocol, as `http://shop`');
};

type KeyOf = NonNullable<BalancedDispatcherOptions['key']>;

const rules = {
  key: defaultTo<KeyOf>(() => undefined, functionOf<KeyOf>('write `request => request.path`')),
  classify: functionOf<Classify>('write `result => ({ ok })`'),
  host: oneOf('request', ['request', 'endpoint']),
  origin: originRule,
  otherwise: objectWith<Dispatcher>(['dispatch'], "write `new Agent()`, imported from 'undici'"),
  ...upstreamRules,
} satisfies RulesFor<BalancedDispatcherOptions>;

export interface DispatcherSettings extends UpstreamSettings {
  readonly key: KeyOf;
  readonly classify: Classify | undefined;
  readonly host: 'request' | 'endpoint';
  readonly origin: string | undefined;
  readonly otherwise: Dispatcher | undefined;
}

/** @throws InvalidOptionError */
export function dispatcherSettings(options: unknown): DispatcherSettings {
  const settings = readOptions('balancedDispatcher', options, rules);
  if (settings.otherwise === undefined || settings.origin !== undefined) return settings;
  const message = '`otherwise` takes the requests to other origins: `origin` is missing';
  throw new InvalidOptionError('otherwise', message);
}
