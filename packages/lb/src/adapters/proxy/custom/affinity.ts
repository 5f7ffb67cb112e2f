import { createHash, createHmac } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import {
  boolean,
  durationMs,
  oneOf,
  type Rule,
  type RulesFor,
  record,
  refused,
  required,
  text,
} from '@ashlar/core';
import type { Endpoint } from '../../../endpoint.ts';
import type { LoadBalancer } from '../../../load-balancer.ts';

/** Sticky sessions by a cookie of the proxy's own. */
export interface StickyOptions {
  /** The name of the cookie. */
  readonly cookie: string;
  /**
   * Signs the endpoint's id, so that a client cannot make a cookie for an endpoint; the same in all proxies of a site.
   * Default: the id is hashed only.
   */
  readonly secret?: string | undefined;
  /** How long the client keeps the cookie, in milliseconds, rounded up to a second. Default: for the browser's session. */
  readonly maxAgeMs?: number | undefined;
  /** Default: `/`. */
  readonly path?: string | undefined;
  /** Default: the host of the request. */
  readonly domain?: string | undefined;
  /** Default: `lax`. */
  readonly sameSite?: 'lax' | 'strict' | 'none' | undefined;
  /** Whether the client sends the cookie over https only. Default: when it was set over https, and with `sameSite: 'none'`. */
  readonly secure?: boolean | undefined;
}

const cookieName: Rule<string | undefined> = (value, option) => {
  if (value === undefined || (typeof value === 'string' && /^[\w!#$%&'*+.^`|~-]+$/.test(value))) return value;
  throw refused(option, 'the name of a cookie', value);
};

/** As an attribute of a cookie; a semicolon would begin another one. */
const attribute: Rule<string | undefined> = (value, option) => {
  if (value === undefined || (typeof value === 'string' && /^[!-:<-~]+$/.test(value))) return value;
  throw refused(option, 'a text without spaces and semicolons', value);
};

const rules = {
  cookie: required(cookieName, 'the name of the cookie'),
  secret: text(),
  maxAgeMs: durationMs(undefined, { above: 0 }),
  path: attribute,
  domain: attribute,
  sameSite: oneOf('lax', ['lax', 'strict', 'none']),
  secure: boolean(),
} satisfies RulesFor<StickyOptions>;

/** The checked options. */
export interface StickySettings extends StickyOptions {
  readonly sameSite: 'lax' | 'strict' | 'none';
}

const fields = record(rules);

export const stickyRule: Rule<StickySettings | undefined> = (value, option) => {
  if (value === undefined) return undefined;
  if (typeof value === 'string') {
    throw refused(option, 'an object', value, 'write `sticky: { cookie }`');
  }
  const settings = fields(value, option);
  const { cookie, sameSite, secure } = settings;
  if (sameSite === 'none' && secure === false) {
    throw refused(`${option}.secure`, "true with `sameSite: 'none'`", secure, 'browsers drop other cookies');
  }
  if (/^__(?:Host|Secure)-/i.test(cookie) && secure !== true) {
    throw refused(`${option}.secure`, `true with a cookie called ${cookie}`, secure, 'browsers drop others');
  }
  return settings;
};

/** Which endpoint a client belongs to, by the cookie that the proxy has set. */
export class Affinity<E extends Endpoint> {
  readonly #settings: StickySettings;
  readonly #trusted: boolean;
  readonly #unwatch: () => void;
  #tokens = new Map<string, string>();
  #ids = new Map<string, string>();

  constructor(balancer: LoadBalancer<E>, settings: StickySettings, trustForwarded: boolean) {
    this.#settings = settings;
    this.#trusted = trustForwarded;
    this.#unwatch = balancer.watch(endpoints => this.#follow(endpoints));
  }

  /** The id of the client's endpoint; `undefined` when it has none, or that has left. */
  endpointOf({ headers }: IncomingMessage): string | undefined {
    if (headers.cookie === undefined) return undefined;
    const start = `${this.#settings.cookie}=`;
    for (const pair of headers.cookie.split(';')) {
      const id = pair.trimStart().startsWith(start)
        ? this.#ids.get(pair.trim().slice(start.length).replace(/^"|"$/g, ''))
        : undefined;
      if (id !== undefined) return id;
    }
    return undefined;
  }

  /** The `Set-Cookie` by which the client belongs to this endpoint; `undefined` when it does, or the endpoint has left. */
  cookieFor({ id }: Endpoint, request: IncomingMessage): string | undefined {
    const token = this.#tokens.get(id);
    if (token === undefined || this.endpointOf(request) === id) return undefined;
    const { cookie, path = '/', domain, maxAgeMs, sameSite, secure } = this.#settings;
    const isSecure = secure ?? (sameSite === 'none' || this.#isOverHttps(request));
    return [
      `${cookie}=${token}`,
      `Path=${path}`,
      ...(domain === undefined ? [] : [`Domain=${domain}`]),
      ...(maxAgeMs === undefined ? [] : [`Max-Age=${Math.ceil(maxAgeMs / 1_000)}`]),
      'HttpOnly',
      `SameSite=${sameSite[0]!.toUpperCase()}${sameSite.slice(1)}`,
      ...(isSecure ? ['Secure'] : []),
    ].join('; ');
  }

  close(): void {
    this.#unwatch();
  }

  #isOverHttps({ socket, headers }: IncomingMessage): boolean {
    if ((socket as Partial<TLSSocket>).encrypted === true) return true;
    return this.#trusted && headers['x-forwarded-proto'] === 'https';
  }

  #follow(endpoints: readonly E[]): void {
    this.#tokens = new Map(endpoints.map(({ id }) => [id, this.#tokens.get(id) ?? this.#tokenOf(id)]));
    this.#ids = new Map(Array.from(this.#tokens, ([id, token]) => [token, id]));
  }

  /** 128 bits: ids, often addresses, do not show. */
  #tokenOf(id: string): string {
    const { secret } = this.#settings;
    const hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret);
    return hash.update(id).digest().subarray(0, 16).toString('base64url');
  }
}
