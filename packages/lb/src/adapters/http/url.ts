import { isIP } from 'node:net';

export function httpUrl(url: string | undefined): URL | undefined {
  if (url === undefined || !URL.canParse(url)) return undefined;
  const parsed = new URL(url);
  return parsed.protocol === 'http:' || parsed.protocol === 'https:' ? parsed : undefined;
}

/** The path of a request below the path of the endpoint's url. */
export function upstreamPath(origin: URL, path: string): string {
  return pathPrefix(origin) + path;
}

export function pathPrefix({ pathname }: URL): string {
  return pathname.replace(/\/$/, '');
}

/** The TLS server name; empty for an address, which cannot be one. */
export function servername({ hostname }: URL): string {
  return isIP(hostname.replace(/^\[|\]$/g, '')) === 0 ? hostname : '';
}
