import type { Endpoint } from '../endpoint.ts';
import type { Settlement } from '../policy.ts';
import type { AttemptResult, Verdict } from '../request.ts';

interface ResponseLike {
  readonly status?: unknown;
  readonly statusCode?: unknown;
  readonly headers?: unknown;
  readonly body?: unknown;
}

const good: Verdict = { ok: true };
const bad: Verdict = { ok: false };
const limited: Verdict = { ok: false, blame: false };

/**
 * The verdict without a `classify`: an error is a failure, and so is a response with status 500 or more. So is 429, but
 * without blame: it limits this client, and the endpoint works. A response is an object with `headers` and a number as
 * `status` or `statusCode`. Where an error has one as its `response`, as of clients that throw for a 404, that counts.
 */
export function classifyByDefault(result: AttemptResult<unknown>): Verdict {
  const { status, statusCode = status, headers } = responseOf(result) ?? {};
  if (typeof statusCode !== 'number' || typeof headers !== 'object' || headers === null) {
    return 'error' in result ? bad : good;
  }
  const verdict = verdictOf(statusCode);
  if (verdict.ok) return good;
  const retryAfterMs = retryAfter(header(headers, 'retry-after'));
  return retryAfterMs === undefined ? verdict : { ...verdict, retryAfterMs };
}

function responseOf(result: AttemptResult<unknown>): ResponseLike | undefined {
  const response =
    'error' in result ? (result.error as { readonly response?: unknown } | null)?.response : result.value;
  return typeof response === 'object' && response !== null ? response : undefined;
}

/** What a status says of its endpoint: a failure from 500 on, and with 429, but then without blame. */
export function verdictOf(status: number): Verdict {
  if (status === 429) return limited;
  return status < 500 ? good : bad;
}

/** `Retry-After` in seconds or as a date (RFC 9110, 10.2.3); `undefined` when it is neither. */
export function retryAfter(value: unknown): number | undefined {
  if (typeof value !== 'string') return undefined;
  if (/^\s*\d+\s*$/.test(value)) return Number(value) * 1000;
  // `Date.parse` finds dates in all kinds of text
  if (!/^\s*[A-Z][a-z]{2,8},? .*\d\d:\d\d:\d\d/.test(value)) return undefined;
  const at = Date.parse(value.endsWith('GMT') ? value : `${value} GMT`);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}

/**
 * Frees an unused result whose value, or the `response` of whose error, is a stream of the web or of Node, or has one as its
 * `body`. Never throws.
 */
export function discard(result: AttemptResult<unknown>): void {
  try {
    const response = responseOf(result);
    if (response === undefined) return;
    const { body = response } = response;
    if (typeof body !== 'object' || body === null) return;
    if (body instanceof ReadableStream) void body.cancel().catch(() => {});
    else if (isNodeStream(body)) {
      body.on('error', () => {});
      body.destroy();
    }
  } catch {
    // It only looked like a stream
  }
}

interface NodeStream {
  on(event: 'error', listener: () => void): unknown;
  destroy(): unknown;
}

function isNodeStream(body: object): body is NodeStream {
  const { on, destroy } = body as Partial<NodeStream>;
  return typeof on === 'function' && typeof destroy === 'function';
}

function header(headers: object, name: string): unknown {
  if ('get' in headers && typeof headers.get === 'function') return headers.get(name);
  return (headers as Readonly<Record<string, unknown>>)[name];
}

/** Whether a failed attempt on the endpoint may be made again on another one. */
export function mayRetry(
  verdict: Verdict,
  result: AttemptResult<unknown>,
  idempotent: boolean | undefined,
  { url }: Endpoint,
): boolean {
  return verdict.retry ?? (idempotent === true || ('error' in result && notExecuted(result.error, url)));
}

/** The settlement of a request with this verdict. */
export function settlementOf(
  { ok, blame, retryAfterMs, latencyMs }: Verdict,
  result: AttemptResult<unknown>,
): Settlement {
  const settlement: { -readonly [K in keyof Settlement]: Settlement[K] } = { ok };
  if (blame === false) settlement.blame = false;
  if ('error' in result) settlement.error = result.error;
  if (retryAfterMs !== undefined) settlement.retryAfterMs = retryAfterMs;
  if (latencyMs !== undefined) settlement.latencyMs = latencyMs;
  return settlement;
}

interface ErrorLike {
  readonly outcome?: unknown;
  readonly code?: unknown;
  readonly syscall?: unknown;
  readonly errors?: unknown;
  readonly cause?: unknown;
  readonly message?: unknown;
  readonly hostname?: unknown;
  readonly address?: unknown;
  readonly port?: unknown;
}

/**
 * Whether the error proves that the request was never sent: it has `outcome: 'NotExecuted'`, or no connection was made.
 * Follows `cause`, as `fetch` wraps its errors, and `errors`, one for each address that was tried.
 *
 * @param url of the endpoint, if it has one: a failed connection to another place, as after a redirect, proves nothing
 */
export function notExecuted(error: unknown, url?: string, depth = 5): boolean {
  if (typeof error !== 'object' || error === null || depth === 0) return false;
  const { outcome, code, syscall, errors, cause } = error as ErrorLike;
  if (outcome !== undefined) return outcome === 'NotExecuted';
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || syscall === 'connect' || syscall === 'getaddrinfo') {
    return url === undefined || !URL.canParse(url) || isOf(new URL(url), error);
  }
  if (Array.isArray(errors) && errors.length > 0) {
    return errors.every(each => notExecuted(each, url, depth - 1));
  }
  return notExecuted(cause, url, depth - 1);
}

/** Whether the error of a connection may be of one to this url, by what the error says of host, address and port. */
function isOf({ protocol, hostname: host, port: named }: URL, error: ErrorLike): boolean {
  const [, tried = ''] = /attempted address(?:es)?: (.*), timeout/.exec(String(error.message)) ?? [];
  const { hostname, address, port = /:(\d+)$/.exec(tried)?.[1] } = error;
  if (port !== undefined && Number(port) !== Number(named || (protocol === 'https:' ? 443 : 80)))
    return false;
  if (hostname !== undefined && hostname !== host) return false;
  const isAddress = /^\[|^[\d.]+$/.test(host);
  return !isAddress || address === undefined || address === host.replace(/^\[|\]$/g, '');
}
