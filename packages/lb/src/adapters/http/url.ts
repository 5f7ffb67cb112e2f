import { isIP } from 'node:net';

export function httpUrl(url: string | undefined): URL | undefined {
  if (url === undefined || !URL.canParse(url)) return undefined;
  const parsed = new URL(url);
  return parsed.protocol === 'http:' || parsed.protocol === 'https:' ? parsed : undefined;
}

/** The TLS server name; empty for an address, which cannot be one. */
export function servername({ hostname }: URL): string {
  return isIP(hostname.replace(/^\[|\]$/g, '')) === 0 ? hostname : '';
}

/**
 * Whether dot segments of a request path lead above its root, and so out of the path of an endpoint's url: as plain text
 * or percent-encoded, with `\` or an encoded separator as servers decode them, and with path parameters (`..;x`).
 */
export function climbs(path: string): boolean {
  const [pathOnly = ''] = path.split('?', 1);
  if (!pathOnly.includes('..') && !/%2e/i.test(pathOnly)) return false;
  const plain = pathOnly.replace(/%2e/gi, '.');
  return goesBelowZero(plain.split('/')) || goesBelowZero(plain.split(/[/\\]|%2f|%5c/i));
}

function goesBelowZero(segments: readonly string[]): boolean {
  let depth = 0;
  for (const segment of segments) {
    const [name] = segment.split(';', 1);
    if (name === '' || name === '.') continue;
    depth += name === '..' ? -1 : 1;
    if (depth < 0) return true;
  }
  return false;
}
