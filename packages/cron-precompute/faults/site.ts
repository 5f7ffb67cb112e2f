import { randomUUID } from 'node:crypto';
import { startPostgres, startRedis } from '@workspace/services';
import { type Backend, type Connected, connect } from '../test/fixtures/backends.ts';

export type Kind = Backend['kind'];

/** A server, and a store on it that is of one run alone. */
export class Site implements AsyncDisposable {
  readonly #server: Awaited<ReturnType<typeof startRedis | typeof startPostgres>>;
  readonly kind: Kind;

  private constructor(kind: Kind, server: Awaited<ReturnType<typeof startRedis | typeof startPostgres>>) {
    this.kind = kind;
    this.#server = server;
  }

  static async start(kind: Kind): Promise<Site> {
    return new Site(kind, kind === 'redis' ? await startRedis() : await startPostgres());
  }

  /** An empty place, and a connection to it. */
  async place(): Promise<{ readonly backend: Backend } & Connected> {
    const place = `run_${randomUUID().replaceAll('-', '')}`;
    const backend: Backend = { kind: this.kind, url: this.#server.url, place };
    const connected = connect(backend);
    await connected.prepare();
    return { backend, ...connected, [Symbol.asyncDispose]: () => connected[Symbol.asyncDispose]() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop();
  }
}
