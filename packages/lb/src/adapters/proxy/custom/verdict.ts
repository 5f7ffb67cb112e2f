import type { IncomingMessage } from 'node:http';
import type { Endpoint } from '../../../endpoint.ts';
import type { Verdict } from '../../../request.ts';
import { checkedVerdict } from '../../../request-checks.ts';
import { notExecuted, retryAfter, verdictOf } from '../../../requests/classify.ts';
import { mayAnswerElsewhere } from '../../http/replay.ts';
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

/** Which request may go to another endpoint. */
export interface Repeatable {
  /** Nothing was sent to the client, and the body can be sent again. */
  readonly unread: boolean;
  /** Executing it twice is safe, too. */
  readonly safe: boolean;
  /** It waited for a connection and was not sent. */
  readonly waiting: boolean;
}

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
  { unread, safe, waiting }: Repeatable,
): Verdict {
  const given = classify && checked(classify({ ...about, error }));
  const verdict = given ?? { ok: false, blame: !waiting };
  const mayRetry = unread && (safe || waiting || notExecuted(error));
  return { ...verdict, retry: mayRetry && verdict.retry !== false };
}

/** @throws InvalidOptionError for a verdict of the user's that is none */
export function verdictOnAnswer(
  about: About,
  { status, headers, latencyMs }: Answer,
  classify: Classify | undefined,
  { unread, safe }: Repeatable,
): Verdict {
  const given = classify && checked(classify({ ...about, status, headers: new ProxyHeaders(headers) }));
  const verdict = given ?? verdictOf(status);
  if (verdict.ok) return { ok: true, latencyMs: verdict.latencyMs ?? latencyMs };
  const retryAfterMs = verdict.retryAfterMs ?? retryAfter(headerValue(headers, 'retry-after'));
  const retry = unread && safe && (verdict.retry ?? mayAnswerElsewhere(status, retryAfterMs));
  return { ...verdict, latencyMs: verdict.latencyMs ?? latencyMs, retryAfterMs, retry };
}

function checked(verdict: Verdict | undefined): Verdict | undefined {
  return verdict === undefined ? undefined : checkedVerdict(verdict);
}
