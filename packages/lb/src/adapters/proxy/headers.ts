import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { maxForwards } from './hops.ts';
import type { ProxySettings } from './options.ts';
import type { RequestTarget } from './request-target.ts';

/** Names and values in turn, as on the wire. */
export type RawHeaders = string[];

/** Headers of one connection (RFC 9110, 7.6.1), and `Expect`, which Node answers itself. */
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

/**
 * The request headers for an endpoint. `X-Forwarded-For`, `-Proto` and `-Host` describe the client. All other
 * `X-Forwarded-*` and `Forwarded` of the client are dropped; those of a trusted client pass, whatever its `Connection`
 * names. Spellings with an underscore are always dropped: a CGI-like application does not tell them apart.
 */
export function requestHeaders(
  request: IncomingMessage,
  target: RequestTarget,
  host: string,
  { trustForwarded: trusted, pseudonym }: Pick<ProxySettings, 'trustForwarded' | 'pseudonym'>,
): RawHeaders {
  const { rawHeaders, headers, socket, httpVersion } = request;
  const named = connectionNames(headers.connection);
  const forwards = maxForwards(request);
  const kept: RawHeaders = ['host', host];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!;
    const lower = name.toLowerCase();
    if (lower === 'host' || ofOneHop.has(lower) || lower === 'x-forwarded-for') continue;
    if (isForwarded(lower)) {
      if (!trusted || lower.includes('_')) continue;
    } else if (named.includes(lower)) continue;
    const isLimit = forwards !== undefined && lower === 'max-forwards';
    kept.push(name, isLimit ? String(forwards - 1) : rawHeaders[at + 1]!);
  }
  kept.push('via', `${httpVersion} ${pseudonym}`);
  const address = addressOf(socket);
  const before = trusted ? headers['x-forwarded-for'] : undefined;
  const addresses =
    before === undefined ? address : `${before}${address === undefined ? '' : `, ${address}`}`;
  if (addresses !== undefined) kept.push('x-forwarded-for', addresses);
  if (!trusted || headers['x-forwarded-proto'] === undefined) {
    kept.push('x-forwarded-proto', (socket as Partial<TLSSocket>).encrypted ? 'https' : 'http');
  }
  if (target.host !== undefined && (!trusted || headers['x-forwarded-host'] === undefined)) {
    kept.push('x-forwarded-host', target.host);
  }
  return kept;
}

function isForwarded(name: string): boolean {
  return name === 'forwarded' || name.startsWith('x-forwarded') || name.startsWith('x_forwarded');
}

/** The client's address. An IPv4 address is written as one, also on a dual-stack socket. */
function addressOf({ remoteAddress }: Socket): string | undefined {
  return remoteAddress?.startsWith('::ffff:') && remoteAddress.includes('.')
    ? remoteAddress.slice('::ffff:'.length)
    : remoteAddress;
}

/** The `Host` that the endpoint receives. */
export function hostOf(
  target: RequestTarget,
  endpoint: { readonly host: string },
  host: 'client' | 'endpoint',
): string {
  return host === 'endpoint' ? endpoint.host : (target.host ?? endpoint.host);
}

/** The response headers for the client, and what they say about the body. */
export interface ResponseHead {
  readonly headers: RawHeaders;
  readonly hasLength: boolean;
  /** Must not be held back: a type that is read piece by piece, or `X-Accel-Buffering: no`, as in nginx. */
  readonly live: boolean;
}

export function responseHead(raw: readonly (Buffer | string)[]): ResponseHead {
  const headers: RawHeaders = [];
  let hasLength = false;
  let live = false;
  let connection: string | undefined;
  for (let at = 0; at < raw.length; at += 2) {
    const name = latin1(raw[at]!);
    const value = latin1(raw[at + 1]!);
    const lower = name.toLowerCase();
    if (ofOneHop.has(lower)) {
      if (lower === 'connection') connection = connection === undefined ? value : `${connection},${value}`;
      continue;
    }
    if (lower === 'content-length') hasLength = true;
    else if (lower === 'content-type') live ||= isLive(value);
    else if (lower === 'x-accel-buffering') live ||= value.trim().toLowerCase() === 'no';
    headers.push(name, value);
  }
  const named = connectionNames(connection);
  if (named.length === 0) return { headers, hasLength, live };
  return {
    headers: without(headers, named),
    hasLength: hasLength && !named.includes('content-length'),
    live,
  };
}

/** Types whose parts are read as they arrive. */
const liveTypes: ReadonlySet<string> = new Set([
  'application/json-seq',
  'application/jsonl',
  'application/ndjson',
  'application/stream+json',
  'application/x-ndjson',
  'multipart/x-mixed-replace',
  'text/event-stream',
]);

function isLive(contentType: string): boolean {
  return liveTypes.has(contentType.split(';', 1)[0]!.trim().toLowerCase());
}

/** The headers without these names, which are in lower case. */
export function without(headers: RawHeaders, names: readonly string[]): RawHeaders {
  const kept: RawHeaders = [];
  for (let at = 0; at < headers.length; at += 2) {
    if (!names.includes(headers[at]!.toLowerCase())) kept.push(headers[at]!, headers[at + 1]!);
  }
  return kept;
}

function latin1(text: Buffer | string): string {
  return typeof text === 'string' ? text : text.toString('latin1');
}

/**
 * The reason phrase that is sent on: the endpoint's, or the standard one. Undici decodes phrases as UTF-8 and Node writes
 * Latin-1, so that others than ASCII would change; a long one would fail the client's parser.
 */
export function reasonPhrase(status: number, message: string | undefined): string {
  return message !== undefined && plainPhrase.test(message) ? message : (STATUS_CODES[status] ?? '');
}

const plainPhrase = /^[\t\x20-\x7e]{1,256}$/;

/** Headers that middleware and endpoint both contribute to; of others the endpoint's replace those set before. */
const additive: ReadonlySet<string> = new Set(['link', 'server-timing', 'set-cookie', 'vary']);

/** Node 20 keeps only the last header of a name once one was set, as by Express. */
export function writeHead(
  response: ServerResponse,
  status: number,
  message: string | undefined,
  headers: RawHeaders,
): void {
  const reason = reasonPhrase(status, message);
  if (response.getHeaderNames().length === 0) {
    response.writeHead(status, reason, headers);
    return;
  }
  for (let at = 0; at < headers.length; at += 2) {
    if (!additive.has(headers[at]!.toLowerCase())) response.removeHeader(headers[at]!);
  }
  for (let at = 0; at < headers.length; at += 2) response.appendHeader(headers[at]!, headers[at + 1]!);
  response.writeHead(status, reason);
}

/** The first value of a name in lower case. */
export function headerValue(headers: RawHeaders, name: string): string | undefined {
  for (let at = 0; at < headers.length; at += 2) {
    if (headers[at]!.toLowerCase() === name) return headers[at + 1];
  }
  return undefined;
}

function connectionNames(connection: string | undefined): readonly string[] {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return none;
  return connection
    .toLowerCase()
    .split(',')
    .map(name => name.trim());
}

const none: readonly string[] = [];
