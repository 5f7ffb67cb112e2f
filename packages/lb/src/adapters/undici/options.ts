import { describe, InvalidOptionError, knownOptions } from '@ashlar/core';
import type { Key } from '@ashlar/hash-ring';
import type { Dispatcher } from 'undici';
import { oneOf } from '../../util/option-checks.ts';
import {
  functionOption,
  type UpstreamOptions,
  type UpstreamSettings,
  upstreamNames,
  upstreamSettings,
} from '../http/options.ts';

export interface BalancedDispatcherOptions extends UpstreamOptions {
  /** What the request is about, for policies that keep equal keys together. None if absent. */
  readonly key?: (request: Dispatcher.DispatchOptions) => Key | undefined;
  /**
   * The `Host` that the endpoint sees where the request has none of its own: that of the url that was asked for
   * (`request`, if absent), as replicas of one site expect it, or that of the endpoint's url (`endpoint`). TLS is
   * checked against the endpoint's name either way.
   */
  readonly host?: 'request' | 'endpoint';
  /**
   * The origin that the endpoints serve, as `http://shop`. A request to another one, as after a redirect, is then left
   * to `otherwise`, or refused. If absent, every request goes to the endpoints.
   */
  readonly origin?: string | URL;
  /** Takes the requests to other origins; its end is for its owner to bring about. */
  readonly otherwise?: Dispatcher;
}

export interface DispatcherSettings extends UpstreamSettings {
  readonly key: (request: Dispatcher.DispatchOptions) => Key | undefined;
  readonly host: 'request' | 'endpoint';
  readonly origin: string | undefined;
  readonly otherwise: Dispatcher | undefined;
}

const names: readonly (keyof BalancedDispatcherOptions)[] = [
  'key',
  'host',
  'origin',
  'otherwise',
  ...upstreamNames,
];

export function dispatcherSettings(options: BalancedDispatcherOptions): DispatcherSettings {
  knownOptions('balancedDispatcher', options, names);
  const { key = () => undefined, host = 'request', origin, otherwise } = options;
  if (otherwise !== undefined && typeof otherwise?.dispatch !== 'function') {
    const message = `\`otherwise\` must be a Dispatcher of undici, got ${describe(otherwise)}`;
    throw new InvalidOptionError('otherwise', message);
  }
  if (otherwise !== undefined && origin === undefined) {
    throw new InvalidOptionError(
      'otherwise',
      '`otherwise` takes the requests to other origins: `origin` is missing',
    );
  }
  return {
    ...upstreamSettings(options),
    key: functionOption('key', key),
    host: oneOf('host', host, ['request', 'endpoint']),
    origin: origin === undefined ? undefined : originOf(origin),
    otherwise,
  };
}

function originOf(origin: string | URL): string {
  if (URL.canParse(String(origin))) return new URL(origin).origin;
  throw new InvalidOptionError('origin', `\`origin\` must be a url, got ${describe(origin)}`);
}
