import { type IncomingMessage, METHODS } from 'node:http';
import { UnforwardableError } from '../http/errors.ts';

/** @throws UnforwardableError when `Via` says that the request has passed this proxy before (RFC 9110, 7.6.3) */
export function refuseLoop({ headers: { via } }: IncomingMessage, pseudonym: string): void {
  if (via?.includes(pseudonym) !== true) return;
  throw new UnforwardableError('the request has passed this proxy before: an endpoint leads back to it', {
    status: 508,
  });
}

/** How often a TRACE or OPTIONS request may still be forwarded; `undefined`: without limit (RFC 9110, 7.6.2). */
export function maxForwards({ method, headers }: IncomingMessage): number | undefined {
  if (method !== 'TRACE' && method !== 'OPTIONS') return undefined;
  const value = headers['max-forwards'];
  return typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : undefined;
}

/** The answer to a request that must not be forwarded any further. */
export interface FinalAnswer {
  readonly status: number;
  readonly headers: string[];
  readonly body: string;
}

/** TRACE reflects the request without its credentials (RFC 9110, 9.3.8); OPTIONS lists methods. */
export function finalAnswer({ method, url, httpVersion, rawHeaders }: IncomingMessage): FinalAnswer {
  if (method === 'OPTIONS') return { status: 204, headers: ['allow', METHODS.join(', ')], body: '' };
  let body = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!;
    if (!credentials.has(name.toLowerCase())) body += `${name}: ${rawHeaders[at + 1]}\r\n`;
  }
  body += '\r\n';
  const length = String(Buffer.byteLength(body, 'latin1'));
  return { status: 200, headers: ['content-type', 'message/http', 'content-length', length], body };
}

const credentials: ReadonlySet<string> = new Set(['authorization', 'cookie', 'proxy-authorization']);
