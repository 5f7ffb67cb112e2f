import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import { UpstreamError, upstreamError } from '../../http/errors.ts';
import { TimeLimit } from '../../http/limits/time-limit.ts';
import { seeResets } from '../../http/resets.ts';
import { servername } from '../../http/url.ts';
import type { RawHeaders } from '../headers.ts';
import type { ProxySettings } from '../options.ts';

export interface UpgradeRequest {
  readonly origin: URL;
  readonly method: string;
  readonly path: string;
  readonly headers: RawHeaders;
}

/** The response to a request to switch protocols; `socket` is present when the endpoint switches. */
export interface UpgradeResponse {
  /** Fails when the endpoint breaks the connection, also where that ends the body. */
  readonly response: IncomingMessage;
  readonly socket: Duplex | undefined;
  /** The bytes that followed the response. */
  readonly head: Buffer;
}

/** Sends the request on a connection of its own; rejects with UpstreamError. */
export function handshake(
  endpoint: string,
  { origin, ...request }: UpgradeRequest,
  { connectTimeoutMs, headersTimeoutMs, maxHeaderBytes, tls }: ProxySettings,
  signal: AbortSignal,
): Promise<UpgradeResponse> {
  return new Promise((resolve, reject) => {
    const send = origin.protocol === 'https:' ? httpsRequest : httpRequest;
    // Without it Node takes the Host header, the client's, as the TLS name
    const options = { ...tls, ...request, servername: servername(origin), maxHeaderSize: maxHeaderBytes };
    const upstream = send(origin, { ...options, agent: false, signal });
    // Node would drop what is behind; the number of bytes is limited
    upstream.maxHeadersCount = 0;
    let connected = false;
    const expire = () => {
      upstream.destroy(new UpstreamError(endpoint, 'timeout', connected ? 'Unknown' : 'NotExecuted'));
    };
    const limit = new TimeLimit(undefined, expire);
    limit.start(connectTimeoutMs);
    upstream.once('socket', socket => {
      socket.once('connect', () => {
        connected = true;
        seeResets(socket);
        limit.start(headersTimeoutMs);
      });
    });
    const answered = (response: IncomingMessage, socket: Duplex | undefined, head: Buffer) => {
      limit.stop();
      if (response.statusCode! < 100) {
        upstream.destroy(new UpstreamError(endpoint, 'malformed', 'Unknown'));
        return;
      }
      // Node ends a body that lasts until the close by a reset too. What follows a whole response is no part of it
      upstream.on('error', error => {
        if (!response.complete) response.destroy(error);
      });
      resolve({ response, socket, head });
    };
    upstream.once('upgrade', answered);
    upstream.once('response', response => answered(response, undefined, Buffer.alloc(0)));
    upstream.on('error', error => {
      limit.stop();
      const progress = { started: connected, answered: false };
      reject(error instanceof UpstreamError ? error : upstreamError(endpoint, error, progress));
    });
    upstream.end();
  });
}
