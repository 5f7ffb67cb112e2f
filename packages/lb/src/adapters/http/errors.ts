import { AshlarError, type CallOutcome, describe } from '@ashlar/core';

/**
 * What went wrong with an endpoint. `unreachable`: the connection failed; `reset`: the connection broke before the
 * response; `truncated`: it broke within the response; `timeout`: the response took too long; `oversized`: the head of
 * the response is longer than `maxHeaderBytes`; `malformed`: the response is not HTTP/1.1.
 */
export type UpstreamFailure = 'unreachable' | 'reset' | 'truncated' | 'timeout' | 'oversized' | 'malformed';

/** An endpoint did not send a complete response. */
export class UpstreamError extends AshlarError {
  static override readonly code: string = 'ASHLAR_LB_UPSTREAM';
  static override readonly retryable: boolean = true;
  /** The id of the endpoint. */
  readonly endpoint: string;
  readonly reason: UpstreamFailure;
  readonly outcome: CallOutcome;
  /** What the proxy answers the client with. */
  readonly status: number;

  constructor(endpoint: string, reason: UpstreamFailure, outcome: CallOutcome, options?: ErrorOptions) {
    super(`endpoint ${describe(endpoint)} ${said[reason]}`, options);
    this.endpoint = endpoint;
    this.reason = reason;
    this.outcome = outcome;
    this.status = reason === 'timeout' ? 504 : 502;
  }
}

const said: Readonly<Record<UpstreamFailure, string>> = {
  unreachable: 'refused the connection or is unreachable',
  reset: 'broke the connection before it answered',
  truncated: 'broke the connection in the middle of its answer',
  timeout: 'took too long',
  oversized: 'answered with too long a head',
  malformed: 'answered with what is not HTTP/1.1',
};

/** The request cannot be forwarded as it is, to any endpoint. */
export class UnforwardableError extends AshlarError {
  static override readonly code: string = 'ASHLAR_LB_UNFORWARDABLE';
  /** What the proxy answers the client with. */
  readonly status: number;

  constructor(message: string, options: ErrorOptions & { readonly status?: number } = {}) {
    super(message, options);
    this.status = options.status ?? 400;
  }
}

/** The body of the request stalled for `idleTimeoutMs`. */
export class RequestStalledError extends AshlarError {
  static override readonly code: string = 'ASHLAR_LB_REQUEST_STALLED';
  /** What the proxy answers the client with. */
  readonly status: number = 408;
  readonly idleTimeoutMs: number;

  constructor(idleTimeoutMs: number) {
    super(`the request body stalled for ${idleTimeoutMs} ms`);
    this.idleTimeoutMs = idleTimeoutMs;
  }
}

interface ErrorLike {
  readonly code?: unknown;
}

/**
 * Translates an error of undici.
 *
 * @param progress `started`: the request was being sent; `answered`: the head of a response had arrived
 */
export function upstreamError(
  endpoint: string,
  cause: unknown,
  { started, answered }: { started: boolean; answered: boolean },
): AshlarError {
  const code = String((cause as ErrorLike | null)?.code);
  if (code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED') {
    return new UnforwardableError('the request cannot be sent as it is', { cause });
  }
  const reason = reasonOf(code, started, answered);
  return new UpstreamError(endpoint, reason, started ? 'Unknown' : 'NotExecuted', { cause });
}

/**
 * Whether an error of undici is none: the `Content-Length` of a 304 is that of the representation (RFC 9110, 8.6), and that
 * of a 204 means nothing, but undici waits for as many bytes.
 */
export function isCompleteWithoutBody(status: number, error: unknown): boolean {
  const { code } = error as ErrorLike;
  return (status === 304 || status === 204) && code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH';
}

function reasonOf(code: string, started: boolean, answered: boolean): UpstreamFailure {
  if (code.endsWith('_TIMEOUT')) return 'timeout';
  if (!started) return 'unreachable';
  if (code.endsWith('_OVERFLOW')) return 'oversized';
  if (code.startsWith('HPE_') || code === 'ERR_INVALID_CHAR') return 'malformed';
  return answered ? 'truncated' : 'reset';
}
