import { AshlarError } from '@ashlar/core';
import { ClosedError, DeadlineError, NoEndpointError } from '../../errors.ts';
import { RequestStalledError, UnforwardableError, UpstreamError } from '../upstream/errors.ts';

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
