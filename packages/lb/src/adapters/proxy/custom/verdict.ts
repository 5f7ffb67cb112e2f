import type { IncomingMessage } from 'node:http';
import type { Endpoint } from '../../../endpoint.ts';
import type { Verdict } from '../../../request.ts';
import { retryAfter } from '../../../requests/classify.ts';
import {
  verdictOnAnswer as onAnswer,
  verdictOnError as onError,
  type Repeatable,
} from '../../http/verdicts.ts';
import { headerValue, type RawHeaders } from '../headers.ts';
import { ProxyHeaders, type ReadonlyProxyHeaders } from './proxy-headers.ts';

/** How an attempt ended: with the response of the endpoint, which is over, or with an error. */
export type ProxyResult = ProxyAnswer | ProxyFailure;

export interface ProxyAnswer {
  readonly request: IncomingMessage;
  readonly endpoint: Endpoint;
  readonly status: number;
  readonly headers: ReadonlyProxyHeaders;
  readonly error?: undefined;
}

export interface ProxyFailure {
  readonly request: IncomingMessage;
  readonly endpoint: Endpoint;
  /** Mostly an UpstreamError. */
  readonly error: unknown;
  readonly status?: undefined;
}

/** The user's; `undefined` stands for the default verdict. */
export type Classify = (result: ProxyResult) => Verdict | undefined;

/** The head of a response. */
export interface Answer {
  readonly status: number;
  readonly headers: RawHeaders;
  readonly latencyMs: number;
}

type About = Pick<ProxyResult, 'request' | 'endpoint'>;

/** @throws InvalidOptionError for a verdict of the user's that is none */
export function verdictOnError(
  about: About,
  error: unknown,
  classify: Classify | undefined,
  repeatable: Repeatable,
): Verdict {
  return onError(classify?.({ ...about, error }), error, repeatable);
}

/** @throws InvalidOptionError for a verdict of the user's that is none */
export function verdictOnAnswer(
  about: About,
  { status, headers, latencyMs }: Answer,
  classify: Classify | undefined,
  repeatable: Repeatable,
): Verdict {
  const given = classify?.({ ...about, status, headers: new ProxyHeaders(headers) });
  const retryAfterMs = retryAfter(headerValue(headers, 'retry-after'));
  return onAnswer(given, { status, latencyMs, retryAfterMs }, repeatable);
}
