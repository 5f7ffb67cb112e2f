import type { IncomingMessage } from 'node:http';
import { UnforwardableError } from '../http/errors.ts';

/** Whether a body follows the head of the request. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** The path and query of the request's target. @throws UnforwardableError without a path, or when the body was read before */
export function pathOf(request: IncomingMessage): string {
  if (request.readableDidRead && hasBody(request)) {
    throw new UnforwardableError('the request body was read before the proxy got it, as by a body parser');
  }
  const { url = '' } = request;
  if (url.startsWith('/')) return url;
  if (!URL.canParse(url))
    throw new UnforwardableError(`the request target ${JSON.stringify(url)} has no path`);
  const { pathname, search } = new URL(url);
  return pathname + search;
}
