import { STATUS_CODES } from 'node:http';
import { AshlarError } from '@ashlar/core';
import { ClosedError, NoEndpointError } from '../../errors.ts';
import type { RawHeaders } from './headers.ts';

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
