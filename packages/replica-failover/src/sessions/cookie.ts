import { createHmac, timingSafeEqual } from 'node:crypto';
import {
  boolean,
  defaultTo,
  InvalidOptionError,
  listOf,
  type Rule,
  type RulesFor,
  readOptions,
  refused,
  required,
} from '@ashlar/core';
import { Session } from '../session.ts';
import { withSession } from './current-session.ts';

export interface SessionCookieOptions {
  /**
   * Sign the cookies, so that nobody can send reads to the primary with one that they made up: 16 characters or more, the
   * same in all processes. The first signs; all of them are accepted, so a new one goes in front of the old one.
   */
  readonly secrets: readonly string[];
  /** The name of the cookie. Default: `ashlar-session`. */
  readonly name?: string | undefined;
  /** Whether browsers send the cookie over https only. Default: true. */
  readonly secure?: boolean | undefined;
}

/** The part of Node's request that is used. */
export interface RequestLike {
  readonly headers: { readonly cookie?: string | undefined };
}

/** The part of Node's response that is used. */
export interface ResponseLike {
  // biome-ignore lint/suspicious/noExplicitAny: as in Node, where it has several forms
  writeHead(...parameters: any[]): unknown;
  appendHeader(name: string, value: string): unknown;
}

const cookieName: Rule<string | undefined> = (value, option) => {
  if (value === undefined || (typeof value === 'string' && /^[\w!#$%&'*+.^`|~-]+$/.test(value))) return value;
  throw refused(option, 'the name of a cookie', value);
};
/** Does not quote it. */
const secret: Rule<string> = (value, option) => {
  if (typeof value === 'string' && value.length >= 16) return value;
  throw new InvalidOptionError(option, `\`${option}\` must be a string of at least 16 characters`);
};
const rules = {
  secrets: required(listOf(secret), 'write `[process.env.SESSION_SECRET]`'),
  name: defaultTo('ashlar-session', cookieName),
  secure: boolean(true),
} satisfies RulesFor<SessionCookieOptions>;

/**
 * Keeps the session of a browser in a signed cookie: so its next request reads what this one wrote, in any process. At most
 * 2 048 characters and its name.
 */
export class SessionCookie {
  readonly #secrets: readonly string[];
  readonly #name: string;
  readonly #attributes: string;

  /** @throws InvalidOptionError */
  constructor(options: SessionCookieOptions) {
    const { secrets, name, secure } = readOptions('SessionCookie', options, rules);
    if (secrets.length === 0) throw refused('secrets', 'at least one secret', secrets);
    this.#secrets = secrets;
    this.#name = name;
    this.#attributes = `; Path=/; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;
  }

  /**
   * Middleware of Express, NestJS and Node's own server: all behind it has the session of the request's cookie, as within
   * `withSession`. What it has seen when the headers of the response are sent goes into the cookie of that.
   */
  readonly handle = (request: RequestLike, response: ResponseLike, next: () => void): void => {
    const session = this.read(request.headers.cookie);
    const before = session.serialize();
    const writeHead = response.writeHead.bind(response);
    response.writeHead = (...parameters) => {
      if (session.serialize() === before) return writeHead(...parameters);
      return writeHead(...withCookie(response, parameters, this.header(session)));
    };
    withSession(() => next(), session); // what `next` gets is an error
  };

  /**
   * The session in a `cookie` header; one that has seen nothing where there is none, or none that one of the secrets has signed.
   */
  read(header: string | undefined): Session {
    const start = `${this.#name}=`;
    for (const pair of (header ?? '').split(';')) {
      const entry = pair.trim();
      const text = entry.startsWith(start) ? this.#verified(entry.slice(start.length)) : undefined;
      if (text !== undefined) return new Session(text);
    }
    return new Session();
  }

  /** The value of a `set-cookie` header that keeps the session. */
  header(session: Session): string {
    const text = session.serialize();
    return `${this.#name}=${text}.${this.#signature(text, this.#secrets[0]!)}${this.#attributes}`;
  }

  #verified(value: string): string | undefined {
    const dot = value.lastIndexOf('.');
    const [text, signature] = [value.slice(0, Math.max(0, dot)), Buffer.from(value.slice(dot + 1))];
    const isSigned = this.#secrets.some(each => {
      const right = Buffer.from(this.#signature(text, each));
      return right.length === signature.length && timingSafeEqual(right, signature);
    });
    return isSigned ? text : undefined;
  }

  /** Of the name too: a text that was signed for another cookie is none of this one. */
  #signature(text: string, key: string): string {
    return createHmac('sha256', key).update(`${this.#name}=${text}`).digest('base64url');
  }
}

/** What `writeHead` gets: cookies that it was given replace those that were set before, so ours must be among them. */
function withCookie(response: ResponseLike, parameters: unknown[], cookie: string): unknown[] {
  const headers = parameters.at(-1);
  const others = parameters.slice(0, -1);
  if (Array.isArray(headers)) {
    const index = headers.findIndex((name, place) => place % 2 === 0 && isSetCookie(name)) + 1;
    if (index > 0) return [...others, headers.with(index, [headers[index], cookie].flat())];
  }
  const name = Object.keys(Object(headers)).find(isSetCookie);
  if (name !== undefined) {
    const { [name]: given } = headers as Record<string, string | string[]>;
    return [...others, { ...(headers as object), [name]: [given, cookie].flat() }];
  }
  response.appendHeader('set-cookie', cookie);
  return parameters;
}

function isSetCookie(name: unknown): boolean {
  return typeof name === 'string' && name.toLowerCase() === 'set-cookie';
}
