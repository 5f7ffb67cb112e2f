import { AshlarError, type CallOutcome, describe } from '@ashlar/core';

/**
 * What went wrong with an endpoint. `unreachable`: no connection was made; `reset`: it broke before the response;
 * `truncated`: the response ended half-way; `timeout`: it took too long; `oversized`: the head of the response is longer
 * than `maxHeaderBytes`; `malformed`: it does not speak HTTP; `url`: the endpoint has no url that can be called.
 */
export type UpstreamFailure =
  | 'unreachable'
  | 'reset'
  | 'truncated'
  | 'timeout'
  | 'oversized'
  | 'malformed'
  | 'url';

/** An endpoint gave no whole response. */
export class UpstreamError extends AshlarError {
  static override readonly code: string = 'ASHLAR_UPSTREAM';
  readonly endpoint: string;
  readonly reason: UpstreamFailure;
  readonly outcome: CallOutcome;

  constructor(endpoint: string, reason: UpstreamFailure, outcome: CallOutcome, options?: ErrorOptions) {
    super(`endpoint ${describe(endpoint)} ${said[reason]}`, options);
    this.endpoint = endpoint;
    this.reason = reason;
    this.outcome = outcome;
  }
}

const said: Readonly<Record<UpstreamFailure, string>> = {
  unreachable: 'could not be connected to',
  reset: 'broke the connection before it answered',
  truncated: 'broke the connection in the middle of its answer',
  timeout: 'took too long',
  oversized: 'answered with too long a head',
  malformed: 'answered with what is not HTTP/1.1',
  url: 'has no http or https url',
};

/** A request that no upstream can be asked, or whose body somebody read before. */
export class UnforwardableError extends AshlarError {
  static override readonly code: string = 'ASHLAR_UNFORWARDABLE';
}

/** Whoever sends the request stopped in the middle of its body. */
export class RequestStalledError extends AshlarError {
  static override readonly code: string = 'ASHLAR_REQUEST_STALLED';
  readonly idleTimeoutMs: number;

  constructor(idleTimeoutMs: number) {
    super(`the request body stalled for ${idleTimeoutMs} ms`);
    this.idleTimeoutMs = idleTimeoutMs;
  }
}

/** The client library of an adapter is not installed. */
export class MissingPeerError extends AshlarError {
  static override readonly code: string = 'ASHLAR_MISSING_PEER';
}

interface ErrorLike {
  readonly code?: unknown;
}

/** What undici's errors mean; `started`: the request was on its way, `answered`: the head of a response was there. */
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

function reasonOf(code: string, started: boolean, answered: boolean): UpstreamFailure {
  if (code.endsWith('_TIMEOUT')) return 'timeout';
  if (!started) return 'unreachable';
  if (code.endsWith('_OVERFLOW')) return 'oversized';
  if (code.startsWith('HPE_') || code === 'ERR_INVALID_CHAR') return 'malformed';
  return answered ? 'truncated' : 'reset';
}
