/** The request of a check. */
export interface Question {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** The part of a response that a check reads. */
export interface Answer {
  readonly status: number;
  readonly body: AsyncIterable<Uint8Array> | null;
}

/** Redirects are not followed. */
export type Ask = (url: string, question: Question) => Promise<Answer>;

export function askBy(fetch: typeof globalThis.fetch): Ask {
  return async (url, question) => {
    const { status, body } = await fetch(url, { ...question, redirect: 'manual' });
    return { status, body: body as AsyncIterable<Uint8Array> | null };
  };
}

/** By `node:http`, as `fetch` refuses some ports and has a `Host` of its own; by the global `fetch` in a browser. */
export const ask: Ask = (url, question) => {
  const http = builtin('http');
  const https = builtin('https');
  if (http === undefined || https === undefined) return askBy(globalThis.fetch)(url, question);
  return askByNode(url.startsWith('https:') ? https : http, url, question);
};

type Http = Pick<typeof import('node:http'), 'request'>;

function builtin(name: 'http' | 'https'): Http | undefined {
  return globalThis.process?.getBuiltinModule?.(`node:${name}`);
}

function askByNode(http: Http, url: string, question: Question): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(url, question, response => {
      resolve({ status: response.statusCode!, body: response });
    });
    request.on('error', error => {
      // The endpoint closed a kept connection just as the request went out
      const isStale = request.reusedSocket && (error as NodeJS.ErrnoException).code === 'ECONNRESET';
      if (isStale && !question.signal.aborted) askByNode(http, url, question).then(resolve, reject);
      else reject(error);
    });
    request.end();
  });
}
