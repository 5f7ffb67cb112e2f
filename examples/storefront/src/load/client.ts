import { type Dispatcher, Pool } from 'undici';
import { productPath } from '../product-path.ts';
import type { Seen } from './tally.ts';

/** More requests than these wait for one of them here, which their latency shows: sockets are not for queueing. */
const connections = 256;

/** Requests product pages over connections that stay open. */
export class Client implements AsyncDisposable {
  readonly #pool: Pool;

  constructor(url: string) {
    this.#pool = new Pool(url, {
      connections,
      pipelining: 1,
      headersTimeout: 60_000,
      bodyTimeout: 60_000,
    });
  }

  /** Asks for the page of a product. Never rejects: a failure is something that the client has seen. */
  async product(key: string): Promise<Seen> {
    try {
      const { statusCode, headers, body } = await this.#get(productPath(key));
      await body.dump();
      if (statusCode !== 200) return { ok: false, why: `status ${statusCode}` };
      const replica = headers['x-replica'];
      if (typeof replica !== 'string') return { ok: false, why: 'no replica named' };
      return {
        ok: true,
        replica,
        hit: headers['x-cache'] === 'hit',
        tierAway: headers['x-tier'] === 'away',
      };
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      return { ok: false, why: code ?? message };
    }
  }

  /** Asks for the home page. */
  async home(): Promise<void> {
    const { body } = await this.#get('/');
    await body.dump();
  }

  /** What another page of the same server says. */
  async json<T>(path: string): Promise<T> {
    const { body } = await this.#get(path);
    return (await body.json()) as T;
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #get(path: string): Promise<Dispatcher.ResponseData> {
    return this.#pool.request({ path, method: 'GET' });
  }
}
