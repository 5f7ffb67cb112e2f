import type { IncomingMessage } from 'node:http';
import { STATUS_CODES } from 'node:http';
import { AshlarError, type Channel, channel } from '@ashlar/core';
import { DeadlineError } from '../../errors.ts';
import type { RawHeaders } from './headers.ts';

/** The client disconnected, or stopped reading the response. */
export class ClientGoneError extends AshlarError {
  static override readonly code: string = 'ASHLAR_LB_CLIENT_GONE';
}

export function clientLeft(): ClientGoneError {
  return new ClientGoneError('the client closed the connection');
}

/** Both sides of a tunnel, as of a WebSocket, were silent for too long. */
export class TunnelIdleError extends AshlarError {
  static override readonly code: string = 'ASHLAR_LB_TUNNEL_IDLE';
  readonly idleTimeoutMs: number;

  constructor(idleTimeoutMs: number) {
    super(`both sides of the tunnel were silent for ${idleTimeoutMs} ms`);
    this.idleTimeoutMs = idleTimeoutMs;
  }
}

interface ErrorFields {
  readonly status?: number;
  readonly outcome?: unknown;
}

/** The status for the client: that of the error, 503 or 504 for the errors of the balancer, 500 for every other error. */
export function statusOf(error: unknown): number {
  if (!(error instanceof AshlarError)) return 500;
  if (error instanceof DeadlineError) return 504;
  const { status, outcome } = error as ErrorFields;
  return status ?? (outcome === undefined ? 500 : 503);
}

/** A request that was not answered with the complete response of an endpoint. */
export interface ProxyErrorMessage {
  readonly balancer: string;
  readonly request: IncomingMessage;
  readonly error: unknown;
  /** The status that the client received; absent when the client is gone or its response was cut off. */
  readonly status: number | undefined;
}

export const proxyErrors: Channel<ProxyErrorMessage> = channel('ashlar:lb:proxy-error');

export interface Problem {
  readonly headers: RawHeaders;
  readonly body: string;
}

/** The response for an error, as `application/problem+json` (RFC 9457). It names no endpoint. */
export function problem(status: number, error: unknown): Problem {
  const code = error instanceof AshlarError ? { code: error.code } : {};
  const body = JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status], status, ...code });
  const headers = ['content-type', 'application/problem+json', 'content-length', String(body.length)];
  if (status === 503) headers.push('retry-after', '1');
  return { headers, body };
}
