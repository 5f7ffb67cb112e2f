import { describe, functionOf, type Rule, type RulesFor, readOptions, refused, text } from '@ashlar/core';
import type { Endpoint } from '../endpoint.ts';
import { authorizationIn, targetBelow } from '../util/endpoint-url.ts';
import { textOf } from '../util/text-of.ts';
import { type Answer, ask, askBy } from './ask.ts';
import { type CheckContext, type HealthCheck, HealthCheckError } from './check.ts';

export interface HttpCheckOptions {
  /** The path below that of the endpoint's url, with a slash in front. Default: `/`. */
  readonly path?: string;
  /** The method of the request. Default: `GET`. */
  readonly method?: string;
  /** Headers of the request, `host` included. Default: none. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The status, or the list of statuses, of a healthy endpoint. Redirects are not followed. Default: 200 to 299. */
  readonly expectStatus?: number | readonly number[];
  /** What the first 64 KiB of the body must contain, or match. Default: anything. */
  readonly expectBody?: string | RegExp;
  /**
   * Makes the request, as for certificates of your own. `fetch` refuses some ports, such as 6000 and 10080, and ignores a
   * `host` of yours. Default: `node:http`, in a browser the global `fetch`.
   */
  readonly fetch?: typeof fetch;
}

const pathRule: Rule<string> = (value = '/', option) => {
  if (typeof value === 'string' && value.startsWith('/')) return value;
  throw refused(option, 'a path that begins with a slash', value, given =>
    typeof given === 'string' && !URL.canParse(given) ? `write \`'/${given}'\`` : undefined,
  );
};

const headersRule: Rule<Record<string, string>> = (value = {}, option) => {
  const isPlain = typeof value === 'object' && value !== null && !(Symbol.iterator in value);
  const wrong = isPlain ? Object.entries(value).find(([, each]) => typeof each !== 'string') : undefined;
  if (isPlain && wrong === undefined) return value as Record<string, string>;
  if (wrong !== undefined) throw refused(`${option}.${wrong[0]}`, 'a string', wrong[1]);
  throw refused(option, 'an object of strings', value, 'write `{ name: value }`');
};

const statusRule: Rule<readonly number[] | undefined> = (value, option) => {
  if (value === undefined) return undefined;
  const statuses: unknown[] = Array.isArray(value) ? value : [value];
  const wrong = statuses.find(
    each => !Number.isInteger(each) || (each as number) < 200 || (each as number) > 599,
  );
  if (wrong === undefined && statuses.length > 0) return statuses as number[];
  throw refused(option, 'a status from 200 to 599, or a list of such', statuses.length > 0 ? wrong : value);
};

const bodyRule: Rule<string | RegExp | undefined> = (value, option) => {
  if (value === undefined || typeof value === 'string' || value instanceof RegExp) return value;
  throw refused(option, 'a string or a RegExp', value);
};

const rules = /* @__PURE__ */ (() =>
  ({
    path: pathRule,
    method: text('GET'),
    headers: headersRule,
    expectStatus: statusRule,
    expectBody: bodyRule,
    fetch: functionOf<typeof fetch>(),
  }) satisfies RulesFor<HttpCheckOptions>)();

/** How much of a body is read. */
const maxBodyBytes = 65_536;

/**
 * A health check that requests the endpoint's url and checks the answer. For endpoints with an http or https `url`; others
 * fail the check.
 *
 * @throws InvalidOptionError
 */
export function httpCheck(options: HttpCheckOptions = {}): HealthCheck<Endpoint> {
  const { path, method, headers, expectStatus, expectBody, fetch } = readOptions('httpCheck', options, rules);
  if (method.toUpperCase() === 'HEAD' && expectBody !== undefined) {
    throw refused('expectBody', 'absent', expectBody, 'a response to HEAD has no body');
  }
  const bodyTest = bodyTestOf(expectBody);
  const named = Object.keys(headers).some(name => name.toLowerCase() === 'authorization');
  const request = fetch === undefined ? ask : askBy(fetch);
  return async ({ endpoint, signal }) => {
    const { url, authorization } = target(endpoint, path);
    const question = { method, headers: named ? headers : { ...authorization, ...headers }, signal };
    const { status, body } = await request(url, question).catch(error => {
      throw new HealthCheckError(`it cannot be reached: ${reasonOf(error)}`, { cause: error });
    });
    // Read even when no test needs it, so that the connection can be used again
    const text = await beginning(body);
    if (!(expectStatus?.includes(status) ?? (status >= 200 && status < 300)))
      throw new HealthCheckError(`it answered with status ${status}`);
    if (!bodyTest(text)) throw new HealthCheckError(`its body lacks ${String(expectBody)}`);
  };
}

function bodyTestOf(expected: string | RegExp | undefined): (body: string) => boolean {
  if (expected === undefined) return () => true;
  if (typeof expected === 'string') return body => body.includes(expected);
  // A copy without the flags that make a RegExp stateful
  const pattern = new RegExp(expected.source, expected.flags.replace(/[gy]/g, ''));
  return body => pattern.test(body);
}

function target({ id, url }: CheckContext<Endpoint>['endpoint'], path: string) {
  if (url === undefined || !URL.canParse(url)) {
    throw new HealthCheckError(`endpoint ${describe(id)} has no valid url`);
  }
  const parsed = new URL(url);
  const authorization = authorizationIn(parsed);
  return {
    url: `${parsed.protocol}//${parsed.host}${targetBelow(parsed, path)}`,
    authorization: authorization === undefined ? {} : { authorization },
  };
}

async function beginning(body: Answer['body']): Promise<string> {
  if (body === null) return '';
  const decoder = new TextDecoder();
  let text = '';
  let left = maxBodyBytes;
  for await (const chunk of body) {
    text += decoder.decode(chunk.subarray(0, left), { stream: true });
    left -= chunk.byteLength;
    if (left <= 0) break;
  }
  return text;
}

function reasonOf(error: unknown): string {
  const { cause = error } = (error ?? {}) as { cause?: unknown };
  const { code, message } = (cause ?? {}) as { code?: unknown; message?: unknown };
  return typeof code === 'string' ? code : textOf(message ?? cause);
}
