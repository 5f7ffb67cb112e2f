/** Names and values in turn, as on the wire. */
export type RawHeaders = string[];

/** Headers of one connection (RFC 9110, 7.6.1), and `Expect`, which Node answers itself. */
export const ofOneHop: ReadonlySet<string> = new Set([
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

/** The headers without these names, which are in lower case. */
export function without(headers: RawHeaders, names: readonly string[]): RawHeaders {
  const kept: RawHeaders = [];
  for (let at = 0; at < headers.length; at += 2) {
    if (!names.includes(headers[at]!.toLowerCase())) kept.push(headers[at]!, headers[at + 1]!);
  }
  return kept;
}

/** The first value of a name in lower case. */
export function headerValue(headers: RawHeaders, name: string): string | undefined {
  for (let at = 0; at < headers.length; at += 2) {
    if (headers[at]!.toLowerCase() === name) return headers[at + 1];
  }
  return undefined;
}

/** The names in a `Connection` header, in lower case. */
export function connectionNames(connection: string | undefined): readonly string[] {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return none;
  return connection
    .toLowerCase()
    .split(',')
    .map(name => name.trim());
}

const none: readonly string[] = [];
