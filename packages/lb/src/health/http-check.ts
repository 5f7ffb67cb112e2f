import { describe, InvalidOptionError, knownOptions } from '@ashlar/core';
import type { Endpoint } from '../endpoint.ts';
import { type CheckContext, type HealthCheck, HealthCheckError } from './check.ts';

export interface HttpCheckOptions {
  /** Below the path of the endpoint's url, with a slash in front; `/` if absent. */
  readonly path?: string;
  /** `GET` if absent. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The status, or one of the statuses, of a healthy endpoint; 200 to 299 if absent. Redirects are not followed. */
  readonly expectStatus?: number | readonly number[];
  /** What the first 64 KiB of the body must contain, or match. */
  readonly expectBody?: string | RegExp;
  /** Instead of the global one, as for certificates of one's own. */
  readonly fetch?: typeof fetch;
}

const names = ['path', 'method', 'headers', 'expectStatus', 'expectBody', 'fetch'];

/** Of a body, how much is looked at. */
const maxBodyBytes = 65_536;

/**
 * A check that asks the endpoint's url and looks at the answer. For endpoints with an http or https `url`; others fail.
 *
 * @throws InvalidOptionError
 */
export function httpCheck(options: HttpCheckOptions = {}): HealthCheck<Endpoint> {
  knownOptions('httpCheck', options, names);
  const { path = '/', method = 'GET', headers = {}, expectStatus, expectBody } = options;
  if (typeof path !== 'string' || !path.startsWith('/')) {
    throw new InvalidOptionError('path', `\`path\` must begin with a slash, got ${describe(path)}`);
  }
  const isExpected = statusTest(expectStatus);
  const bodyTest = bodyTestOf(expectBody);
  return async ({ endpoint, signal }) => {
    const { url, authorization } = target(endpoint, path);
    const request = {
      method,
      headers: { ...authorization, ...headers },
      redirect: 'manual',
      signal,
    } as const;
    const response = await (options.fetch ?? fetch)(url, request).catch(error => {
      throw new HealthCheckError(`it cannot be reached: ${reasonOf(error)}`, { cause: error });
    });
    // Read also where nobody looks at it, so that the connection can be used again
    const body = await beginning(response);
    if (!isExpected(response.status))
      throw new HealthCheckError(`it answered with status ${response.status}`);
    if (!bodyTest(body)) throw new HealthCheckError(`its body lacks ${String(expectBody)}`);
  };
}

function statusTest(expected: number | readonly number[] | undefined): (status: number) => boolean {
  if (expected === undefined) return status => status >= 200 && status <= 299;
  const statuses = Array.isArray(expected) ? expected : [expected];
  for (const status of statuses) {
    if (Number.isInteger(status) && status >= 200 && status <= 599) continue;
    const must = '`expectStatus` must be a status from 200 to 599, or a list of such';
    throw new InvalidOptionError('expectStatus', `${must}, got ${describe(status)}`);
  }
  return status => statuses.includes(status);
}

function bodyTestOf(expected: string | RegExp | undefined): (body: string) => boolean {
  if (expected === undefined) return () => true;
  if (typeof expected === 'string') return body => body.includes(expected);
  if (expected instanceof RegExp) {
    // A copy without the flags by which a RegExp remembers where it was
    const pattern = new RegExp(expected.source, expected.flags.replace(/[gy]/g, ''));
    return body => pattern.test(body);
  }
  const must = '`expectBody` must be a string or a RegExp';
  throw new InvalidOptionError('expectBody', `${must}, got ${describe(expected)}`);
}

/** `fetch` takes no credentials within a url. */
function target({ id, url }: CheckContext<Endpoint>['endpoint'], path: string) {
  if (url === undefined || !URL.canParse(url)) {
    throw new HealthCheckError(`endpoint ${describe(id)} has no url that could be asked`);
  }
  const { protocol, host, pathname, username, password } = new URL(url);
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return {
    url: `${protocol}//${host}${pathname.replace(/\/$/, '')}${path}`,
    authorization: credentials === ':' ? {} : { authorization: `Basic ${btoa(credentials)}` },
  };
}

async function beginning({ body }: Response): Promise<string> {
  if (body === null) return '';
  const decoder = new TextDecoder();
  let text = '';
  let left = maxBodyBytes;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk.subarray(0, left), { stream: true });
    left -= chunk.byteLength;
    if (left <= 0) break;
  }
  return text;
}

function reasonOf(error: unknown): string {
  const { cause = error } = error as { cause?: unknown };
  const { code, message } = cause as { code?: unknown; message?: unknown };
  return typeof code === 'string' ? code : String(message ?? cause);
}
