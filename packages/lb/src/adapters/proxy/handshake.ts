import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import { UpstreamError, upstreamError } from '../upstream/errors.ts';
import { servername } from '../upstream/url.ts';
import type { RawHeaders } from './headers.ts';
import type { ProxySettings } from './options.ts';

export interface UpgradeRequest {
  readonly origin: URL;
  readonly method: string;
  readonly path: string;
  readonly headers: RawHeaders;
}

/** How an endpoint answers a request to switch protocols: `socket` is there when it does. */
export interface Answer {
  readonly response: IncomingMessage;
  readonly socket: Duplex | undefined;
  /** What came on the socket already. */
  readonly head: Buffer;
}

/** Asks on a connection of its own; rejects with UpstreamError. */
export function handshake(
  endpoint: string,
  { origin, ...request }: UpgradeRequest,
  { connectTimeoutMs, headersTimeoutMs, maxHeaderBytes, tls }: ProxySettings,
  signal: AbortSignal,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const send = origin.protocol === 'https:' ? httpsRequest : httpRequest;
    // The host header would name the client's host for TLS
    const options = { ...tls, ...request, servername: servername(origin), maxHeaderSize: maxHeaderBytes };
    const upstream = send(origin, { ...options, agent: false, signal });
    let connected = false;
    const expire = () => {
      upstream.destroy(new UpstreamError(endpoint, 'timeout', connected ? 'Unknown' : 'NotExecuted'));
    };
    let timer = setTimeout(expire, connectTimeoutMs);
    upstream.once('socket', socket => {
      socket.once('connect', () => {
        connected = true;
        clearTimeout(timer);
        timer = setTimeout(expire, headersTimeoutMs);
      });
    });
    const answered = (response: IncomingMessage, socket: Duplex | undefined, head: Buffer) => {
      clearTimeout(timer);
      resolve({ response, socket, head });
    };
    upstream.once('upgrade', answered);
    upstream.once('response', response => answered(response, undefined, Buffer.alloc(0)));
    upstream.on('error', error => {
      clearTimeout(timer);
      const progress = { started: connected, answered: false };
      reject(error instanceof UpstreamError ? error : upstreamError(endpoint, error, progress));
    });
    upstream.end();
  });
}
