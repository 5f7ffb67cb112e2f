import type { Dispatcher } from 'undici';

type Headers = Dispatcher.DispatchOptions['headers'];

/** The headers with that `Host`, unless they have one. Of whatever shape undici takes; those given are not changed. */
export function withHost(headers: Headers, host: string): NonNullable<Headers> {
  if (headers === null || headers === undefined) return { host };
  if (Array.isArray(headers)) {
    const named = headers.some((name, at) => at % 2 === 0 && isHost(name));
    return named ? headers : [...headers, 'host', host];
  }
  if (Symbol.iterator in headers) {
    // A value may be a list of values, which stays one
    return withHost([...(headers as Iterable<[string, string]>)].flat(), host);
  }
  return Object.keys(headers).some(isHost) ? headers : { ...(headers as Record<string, string>), host };
}

function isHost(name: string): boolean {
  return name.length === 4 && name.toLowerCase() === 'host';
}
