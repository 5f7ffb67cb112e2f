import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { TLSSocket } from 'node:tls';

/** Names and values in turn, as they were on the wire. */
export type RawHeaders = string[];

/** What concerns one connection only (RFC 9110, 7.6.1), and what Node has answered itself. */
const ofOneHop = new Set([
  'connection',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

const forwarded = new Set([
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
]);

/**
 * What upstream is sent of the request's headers. `X-Forwarded-For`, `-Proto` and `-Host` tell of the client; of a
 * client that is trusted its own `-Proto` and `-Host` stay.
 */
export function requestHeaders(request: IncomingMessage, host: string, trusted: boolean): RawHeaders {
  const { rawHeaders, headers, socket } = request;
  const named = connectionNames(headers.connection);
  const kept: RawHeaders = ['host', host];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!.toLowerCase();
    if (ofOneHop.has(name) || named.includes(name) || name === 'host' || name === 'x-forwarded-for') continue;
    if (!trusted && forwarded.has(name)) continue;
    kept.push(rawHeaders[at]!, rawHeaders[at + 1]!);
  }
  const address = socket.remoteAddress?.replace(/^::ffff:(?=\d+\.)/, '');
  const before = trusted ? headers['x-forwarded-for'] : undefined;
  const addresses = [before, address].filter(part => part !== undefined).join(', ');
  if (addresses !== '') kept.push('x-forwarded-for', addresses);
  if (!trusted || headers['x-forwarded-proto'] === undefined) {
    kept.push('x-forwarded-proto', (socket as Partial<TLSSocket>).encrypted ? 'https' : 'http');
  }
  if (headers.host !== undefined && (!trusted || headers['x-forwarded-host'] === undefined)) {
    kept.push('x-forwarded-host', headers.host);
  }
  return kept;
}

/** The `Host` that upstream is sent. */
export function hostOf({ headers }: IncomingMessage, origin: URL, host: 'client' | 'endpoint'): string {
  return host === 'endpoint' ? origin.host : (headers.host ?? origin.host);
}

/** What the client is sent of the response's headers. */
export function responseHeaders(raw: readonly (Buffer | string)[]): RawHeaders {
  const all = raw.map(each => (typeof each === 'string' ? each : each.toString('latin1')));
  const named = connectionNames(headerValue(all, 'connection'));
  const kept: RawHeaders = [];
  for (let at = 0; at < all.length; at += 2) {
    const name = all[at]!.toLowerCase();
    if (!ofOneHop.has(name) && !named.includes(name)) kept.push(all[at]!, all[at + 1]!);
  }
  return kept;
}

/** Node 20 forgets all but the last of a name once something has set a header, as Express does. */
export function writeHead(
  response: ServerResponse,
  status: number,
  message: string | undefined,
  headers: RawHeaders,
): void {
  const reason = message || STATUS_CODES[status] || '';
  if (response.getHeaderNames().length === 0) {
    response.writeHead(status, reason, headers);
    return;
  }
  for (let at = 0; at < headers.length; at += 2) response.removeHeader(headers[at]!);
  for (let at = 0; at < headers.length; at += 2) response.appendHeader(headers[at]!, headers[at + 1]!);
  response.writeHead(status, reason);
}

/** The first value of that name, which is in lower case. */
export function headerValue(headers: RawHeaders, name: string): string | undefined {
  for (let at = 0; at < headers.length; at += 2) {
    if (headers[at]!.toLowerCase() === name) return headers[at + 1];
  }
  return undefined;
}

function connectionNames(connection: string | undefined): readonly string[] {
  if (connection === undefined || /^(keep-alive|close)$/i.test(connection)) return none;
  return connection
    .toLowerCase()
    .split(',')
    .map(name => name.trim());
}

const none: readonly string[] = [];
