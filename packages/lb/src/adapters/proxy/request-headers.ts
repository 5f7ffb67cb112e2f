import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Upstream } from '../http/pools.ts';
import { connectionNames, ofOneHop, type RawHeaders } from './headers.ts';
import { maxForwards } from './hops.ts';
import type { ProxySettings } from './options.ts';
import type { RequestTarget } from './request-target.ts';

/**
 * The request headers for an endpoint. `X-Forwarded-For`, `-Proto` and `-Host` describe the client. All other
 * `X-Forwarded-*` and `Forwarded` of the client are dropped; those of a trusted client pass, whatever its `Connection`
 * names. Spellings with an underscore are always dropped: a CGI-like application does not tell them apart.
 */
export function requestHeaders(
  request: IncomingMessage,
  target: RequestTarget,
  endpoint: Pick<Upstream, 'host' | 'authorization'>,
  { trustForwarded: trusted, pseudonym, host }: Pick<ProxySettings, 'trustForwarded' | 'pseudonym' | 'host'>,
): RawHeaders {
  const { rawHeaders, headers, socket, httpVersion } = request;
  const named = connectionNames(headers.connection);
  const forwards = maxForwards(request);
  const kept: RawHeaders = ['host', hostOf(target, endpoint, host)];
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
  if (endpoint.authorization !== undefined && headers.authorization === undefined) {
    kept.push('authorization', endpoint.authorization);
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
function hostOf(
  target: RequestTarget,
  endpoint: { readonly host: string },
  host: 'client' | 'endpoint',
): string {
  return host === 'endpoint' ? endpoint.host : (target.host ?? endpoint.host);
}
