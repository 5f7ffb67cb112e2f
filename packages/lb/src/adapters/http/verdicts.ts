import type { Verdict } from '../../request.ts';
import { checkedVerdict } from '../../request-checks.ts';
import { notExecuted, verdictOf } from '../../requests/classify.ts';
import { mayAnswerElsewhere } from './replay.ts';

/** Which request may go to another endpoint. */
export interface Repeatable {
  /** Nothing was handed on of a response, and the body can be sent again. */
  readonly unread: boolean;
  /** Executing it twice is safe, too. */
  readonly safe: boolean;
  /** It waited for a connection and was not sent. */
  readonly waiting: boolean;
}

/** The head of a response. */
export interface Answer {
  readonly status: number;
  readonly latencyMs: number;
  readonly retryAfterMs: number | undefined;
}

/** @throws InvalidOptionError for a verdict of the user's that is none */
export function verdictOnError(
  given: Verdict | undefined,
  error: unknown,
  { unread, safe, waiting }: Repeatable,
): Verdict {
  const verdict = checked(given) ?? { ok: false, blame: !waiting };
  const mayRetry = unread && (safe || waiting || notExecuted(error));
  return { ...verdict, retry: mayRetry && verdict.retry !== false };
}

/** @throws InvalidOptionError for a verdict of the user's that is none */
export function verdictOnAnswer(
  given: Verdict | undefined,
  { status, latencyMs, retryAfterMs: askedMs }: Answer,
  { unread, safe }: Pick<Repeatable, 'unread' | 'safe'>,
): Verdict {
  const verdict = checked(given) ?? verdictOf(status);
  if (verdict.ok) return { ok: true, latencyMs: verdict.latencyMs ?? latencyMs };
  const retryAfterMs = verdict.retryAfterMs ?? askedMs;
  const retry = unread && safe && (verdict.retry ?? mayAnswerElsewhere(status, retryAfterMs));
  return { ...verdict, latencyMs: verdict.latencyMs ?? latencyMs, retryAfterMs, retry };
}

function checked(verdict: Verdict | undefined): Verdict | undefined {
  return verdict === undefined ? undefined : checkedVerdict(verdict);
}
