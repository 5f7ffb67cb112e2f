import type { IncomingMessage } from 'node:http';
import { describe, functionOf, type Rule, type RulesFor, refused } from '@ashlar/core';
import type { Endpoint } from '../../../endpoint.ts';
import { UnforwardableError } from '../../http/errors.ts';
import { climbs } from '../../http/url.ts';
import type { RawHeaders } from '../headers.ts';
import type { RequestTarget } from '../request-target.ts';
import type { Affinity } from './affinity.ts';
import { ProxyHeaders } from './proxy-headers.ts';

/** Which message the headers are of. */
export interface HeaderContext {
  /** The client's request. */
  readonly request: IncomingMessage;
  readonly endpoint: Endpoint;
}

export interface ResponseHeaderContext extends HeaderContext {
  readonly status: number;
}

/** Classes where literals would do, for the reason at `Fulfilled` in `requests/execution.ts`. */
export class RequestContext implements HeaderContext {
  readonly request: IncomingMessage;
  readonly endpoint: Endpoint;

  constructor(request: IncomingMessage, endpoint: Endpoint) {
    this.request = request;
    this.endpoint = endpoint;
  }
}

export class ResponseContext extends RequestContext implements ResponseHeaderContext {
  readonly status: number;

  constructor({ request, endpoint }: HeaderContext, status: number) {
    super(request, endpoint);
    this.status = status;
  }
}

export interface RewritingOptions {
  /**
   * A path that is cut off the front of the request's, as `/shop`: `/shop/cart` becomes `/cart`. Endpoints receive it as
   * `X-Forwarded-Prefix`. Other paths pass unchanged. Default: none.
   */
  readonly strip?: string;
  /** A path that is put in front of the request's, after `strip` and below the path of the endpoint's url. Default: none. */
  readonly prefix?: string;
  /**
   * Changes the headers that an endpoint receives; called for each attempt. If it throws, the request fails and no endpoint
   * is blamed. Default: none.
   */
  readonly requestHeaders?: (headers: ProxyHeaders, context: HeaderContext) => void;
  /**
   * Changes the headers of an endpoint's response, before the client receives them. If it throws, the request fails and no
   * endpoint is blamed. Default: none.
   */
  readonly responseHeaders?: (headers: ProxyHeaders, context: ResponseHeaderContext) => void;
}

/** A path without a final slash. */
const path: Rule<string | undefined> = (value, option) => {
  if (value === undefined) return undefined;
  const isPath = typeof value === 'string' && /^\/[!-~]*$/.test(value) && !/[?#\\]/.test(value);
  if (!isPath || value.split('/').some(segment => segment === '.' || segment === '..')) {
    throw refused(option, 'a path, as `/shop`', value);
  }
  return value.replace(/\/+$/, '');
};

export const rewritingRules: RulesFor<RewritingOptions> = {
  strip: path,
  prefix: path,
  requestHeaders: functionOf('write `headers => headers.set(name, value)`'),
  responseHeaders: functionOf('write `headers => headers.set(name, value)`'),
};

/** The checked options. */
export type RewritingSettings = {
  readonly [Name in keyof RewritingOptions]-?: RewritingOptions[Name] | undefined;
};

/** What the proxy changes in the messages that pass, and the endpoint to which a client belongs. */
export class Rewriting<E extends Endpoint> {
  readonly #settings: RewritingSettings;
  readonly #affinity: Affinity<E> | undefined;

  constructor(settings: RewritingSettings, affinity: Affinity<E> | undefined) {
    this.#settings = settings;
    this.#affinity = affinity;
  }

  /** The id of the endpoint that should take the request. */
  preferred(request: IncomingMessage): string | undefined {
    return this.#affinity?.endpointOf(request);
  }

  /** The target below the endpoint's url. @throws UnforwardableError when the rest of the path leads above its root */
  target(target: RequestTarget): RequestTarget {
    const { strip = '', prefix = '' } = this.#settings;
    if (strip === '' && prefix === '') return target;
    const rest = strip !== '' && target.path.startsWith(strip) ? target.path.slice(strip.length) : undefined;
    if (rest === undefined || !/^(?:[/?]|$)/.test(rest)) return { ...target, path: prefix + target.path };
    const path = rest.startsWith('/') ? rest : `/${rest}`;
    if (climbs(path)) throw new UnforwardableError(`the path ${describe(target.path)} leads above ${strip}`);
    return { ...target, path: prefix + path, stripped: strip };
  }

  /** Changes the headers for an endpoint. @throws what the hook throws */
  toEndpoint(headers: RawHeaders, { stripped }: RequestTarget, context: HeaderContext): void {
    const { requestHeaders } = this.#settings;
    if (stripped === undefined && requestHeaders === undefined) return;
    const changing = new ProxyHeaders(headers);
    if (stripped !== undefined) {
      // A trusted proxy before this one may have cut off a part of its own
      const before = changing.get('x-forwarded-prefix') ?? '';
      changing.set('x-forwarded-prefix', before + stripped);
    }
    requestHeaders?.(changing, context);
  }

  /** Changes the headers for the client. @throws what the hook throws */
  toClient(headers: RawHeaders, context: ResponseHeaderContext): void {
    const { endpoint, request, status } = context;
    // A client should not belong to an endpoint that fails
    const cookie = status < 500 ? this.#affinity?.cookieFor(endpoint, request) : undefined;
    if (cookie !== undefined) headers.push('set-cookie', cookie);
    this.#settings.responseHeaders?.(new ProxyHeaders(headers), context);
  }

  close(): void {
    this.#affinity?.close();
  }
}
