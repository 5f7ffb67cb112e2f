import type { IncomingMessage, Server } from 'node:http';
import { describe } from '@ashlar/core';
import { UnforwardableError } from '../http/errors.ts';
import { climbs } from '../http/url.ts';

/** What a request asks for, whatever the form of its target. */
export interface RequestTarget {
  /** The path and query, as they were sent. */
  readonly path: string;
  /** The host that the client asked for; `undefined` when an HTTP/1.0 request names none. */
  readonly host: string | undefined;
  /** What `strip` has cut off its path. */
  readonly stripped?: string;
}

/** Whether a body follows the head of the request. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/**
 * Whether Node may have dropped lines of the head, and with them what frames the body: it stops when it has as many as its
 * server's `maxHeadersCount`, 1 000 by default, or a few more.
 */
export function isTruncated({ rawHeaders, socket }: IncomingMessage): boolean {
  const limit = (socket as { readonly server?: Server }).server?.maxHeadersCount ?? 1_000;
  return limit > 0 && rawHeaders.length >= 2 * limit;
}

/** @throws UnforwardableError when it is not certain where the request ends, or what its body means (RFC 9112, 6) */
function checkFraming(request: IncomingMessage): void {
  const { headers, httpVersion } = request;
  if (!httpVersion.startsWith('1.')) {
    throw new UnforwardableError(`the request is of HTTP/${httpVersion}, not HTTP/1.1`, { status: 505 });
  }
  if (isTruncated(request)) {
    throw new UnforwardableError('the request has too many header lines', { status: 431 });
  }
  const codings = headers['transfer-encoding'];
  if (codings === undefined) return;
  if (codings === '' || httpVersion === '1.0' || headers['content-length'] !== undefined) {
    throw new UnforwardableError('the Transfer-Encoding of the request is faulty');
  }
  if (codings.toLowerCase() !== 'chunked') {
    throw new UnforwardableError(`the request has ${describe(codings)} as its transfer coding`, {
      status: 501,
    });
  }
}

/**
 * The target of a request that can be forwarded. The host of an absolute target replaces the `Host` header (RFC 9112, 3.2.2).
 *
 * @throws UnforwardableError for a faulty framing, a target without a path, with a path above its root or another protocol, a malformed, missing or
 * second `Host`, or a body that was read before
 */
export function targetOf(request: IncomingMessage): RequestTarget {
  checkFraming(request);
  if (request.readableDidRead && hasBody(request)) {
    throw new UnforwardableError('the request body was read before the proxy got it, as by a body parser');
  }
  const host = hostHeader(request);
  const { url = '' } = request;
  if (url.startsWith('/')) return { path: checkedPath(url), host };
  const [, authority, rest = ''] = absolute.exec(url) ?? [];
  if (authority === undefined) {
    throw new UnforwardableError(`the request target ${describe(url)} has no path of http or https`);
  }
  return { path: checkedPath(rest.startsWith('/') ? rest : `/${rest}`), host: checkedHost(authority) };
}

const absolute = /^https?:\/\/([^/?#]+)(.*)$/i;

/** `uri-host [ ":" port ]` (RFC 9110, 7.2). */
const hostForm = /^(?:[\w.~!$&'()*+,;=%-]+|\[[\da-f:.]+\])(?::\d*)?$/i;

function hostHeader({ rawHeaders, httpVersion, headers: { host } }: IncomingMessage): string | undefined {
  if (host === undefined) {
    if (httpVersion === '1.0') return undefined;
    // Node asks for one itself, but not of upgrades
    throw new UnforwardableError('the request has no Host header');
  }
  let lines = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!;
    if (name.length === 4 && name.toLowerCase() === 'host') lines++;
  }
  if (lines > 1) throw new UnforwardableError('the request has more than one Host header');
  return host === '' ? undefined : checkedHost(host);
}

function checkedPath(path: string): string {
  if (!climbs(path)) return path;
  throw new UnforwardableError(`the path ${describe(path)} leads above its root`);
}

function checkedHost(host: string): string {
  if (hostForm.test(host)) return host;
  throw new UnforwardableError(`the request has ${describe(host)} as its host`);
}
