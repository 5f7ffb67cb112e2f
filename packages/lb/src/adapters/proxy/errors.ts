import type { IncomingMessage } from 'node:http';
import { STATUS_CODES } from 'node:http';
import { AshlarError, type Channel, channel } from '@ashlar/core';
import { ClosedError, DeadlineError, NoEndpointError } from '../../errors.ts';
import { RequestStalledError, UnforwardableError, UpstreamError } from '../http/errors.ts';
import type { RawHeaders } from './headers.ts';

/** The client went away, or stopped taking the response. */
export class ClientGoneError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CLIENT_GONE';
}

/** The status that tells the client of the error; 500 for what should not happen. */
export function statusOf(error: unknown): number {
  if (error instanceof UpstreamError) return error.reason === 'timeout' ? 504 : 502;
  if (error instanceof DeadlineError) return 504;
  if (error instanceof NoEndpointError || error instanceof ClosedError) return 503;
  if (error instanceof RequestStalledError) return 408;
  if (error instanceof UnforwardableError) return 400;
  return 500;
}

/** A request could not be answered with what an endpoint said. */
export interface ProxyErrorMessage {
  readonly balancer: string;
  readonly request: IncomingMessage;
  readonly error: unknown;
  /** What the client was told; absent when it is gone, or its response was cut off. */
  readonly status: number | undefined;
}

export const proxyErrors: Channel<ProxyErrorMessage> = channel('ashlar:lb:proxy-error');

export interface Problem {
  readonly headers: RawHeaders;
  readonly body: string;
}

/** What a client is told of an error, as `application/problem+json` (RFC 9457); it names no endpoint. */
export function problem(status: number, error: unknown): Problem {
  const code = error instanceof AshlarError ? { code: error.code } : {};
  const body = JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status], status, ...code });
  const headers = ['content-type', 'application/problem+json', 'content-length', String(body.length)];
  if (error instanceof NoEndpointError || error instanceof ClosedError) headers.push('retry-after', '1');
  return { headers, body };
}
