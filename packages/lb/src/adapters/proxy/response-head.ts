import { type ServerResponse, STATUS_CODES } from 'node:http';
import { connectionNames, ofOneHop, type RawHeaders, without } from './headers.ts';

/** The response headers for the client, and what they say about the body. */
export interface ResponseHead {
  readonly headers: RawHeaders;
  readonly hasLength: boolean;
  /** Must not be held back: a type that is read piece by piece, or `X-Accel-Buffering: no`, as in nginx. */
  readonly live: boolean;
  /** The body is in a transfer coding beside chunked: its label is of one hop, and nothing here decodes it. */
  readonly coded: boolean;
}

/** Whether a response ends with its head (RFC 9112, 6.3). */
export function isBodiless(status: number, method: string | undefined): boolean {
  return status < 200 || status === 204 || status === 304 || method === 'HEAD';
}

/** A 204 or 101 has no length (RFC 9110, 8.6); an endpoint's is dropped. */
export function responseHead(status: number, raw: readonly (Buffer | string)[]): ResponseHead {
  const headers: RawHeaders = [];
  let hasLength = false;
  let live = false;
  let connection: string | undefined;
  let codings: string | undefined;
  for (let at = 0; at < raw.length; at += 2) {
    const name = latin1(raw[at]!);
    const value = latin1(raw[at + 1]!);
    const lower = name.toLowerCase();
    if (ofOneHop.has(lower)) {
      if (lower === 'connection') connection = connection === undefined ? value : `${connection},${value}`;
      else if (lower === 'transfer-encoding') codings = codings === undefined ? value : `${codings},${value}`;
      continue;
    }
    if (lower === 'content-length') hasLength = true;
    else if (lower === 'content-type') live ||= isLive(value);
    else if (lower === 'x-accel-buffering') live ||= value.trim().toLowerCase() === 'no';
    headers.push(name, value);
  }
  const coded = codings !== undefined && codings.toLowerCase() !== 'chunked';
  const withoutLength = status === 204 || status === 101;
  const names = connectionNames(connection);
  const named = withoutLength ? [...names, 'content-length'] : names;
  if (named.length === 0) return { headers, hasLength, live, coded };
  return {
    headers: without(headers, named),
    hasLength: hasLength && !named.includes('content-length'),
    live,
    coded,
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
