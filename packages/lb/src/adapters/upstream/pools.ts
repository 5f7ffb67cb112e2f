import { buildConnector, type Dispatcher, Pool } from '#undici';
import type { Endpoint } from '../../endpoint.ts';
import type { LoadBalancer } from '../../load-balancer.ts';
import { UpstreamError } from './errors.ts';
import { httpUrl, servername } from './url.ts';

/** Where an endpoint is reached. */
export interface Upstream {
  readonly origin: URL;
  readonly dispatcher: Dispatcher;
}

/** Undici's, save that what makes the connections is given as options. */
export type EndpointPoolOptions = Omit<Pool.Options, 'connect' | 'factory' | 'interceptors'> & {
  readonly connect?: buildConnector.BuildOptions;
};

interface Entry {
  readonly url: string | undefined;
  upstream: (Upstream & { readonly dispatcher: Pool }) | undefined;
}

/** A pool of connections for each endpoint, made when it is first asked for, closed when the endpoint leaves or moves. */
export class Pools<E extends Endpoint> {
  readonly #options: EndpointPoolOptions;
  readonly #onOpen: (pool: Pool) => void;
  readonly #unwatch: () => void;
  #entries = new Map<string, Entry>();

  /** @param onOpen told of each pool that is made */
  constructor(
    balancer: LoadBalancer<E>,
    options: EndpointPoolOptions,
    onOpen: (pool: Pool) => void = () => {},
  ) {
    this.#options = options;
    this.#onOpen = onOpen;
    this.#unwatch = balancer.watch(endpoints => this.#follow(endpoints));
  }

  /** @throws UpstreamError when it has no usable url, or has left in the meantime */
  of({ id }: E): Upstream {
    const entry = this.#entries.get(id);
    if (entry === undefined) throw new UpstreamError(id, 'unreachable', 'NotExecuted');
    entry.upstream ??= this.#open(id, entry.url);
    return entry.upstream;
  }

  /** Breaks off what is under way. */
  async destroy(error: Error | null = null): Promise<void> {
    await Promise.all(this.#dismiss().map(pool => pool.destroy(error)));
  }

  #dismiss(): Pool[] {
    this.#unwatch();
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    return entries.flatMap(({ upstream }) => upstream?.dispatcher ?? []);
  }

  #open(id: string, url: string | undefined): Upstream & { readonly dispatcher: Pool } {
    const origin = httpUrl(url);
    if (origin === undefined) throw new UpstreamError(id, 'url', 'NotExecuted');
    const { connect: connecting, ...options } = this.#options;
    const connect = buildConnector(connecting);
    const dispatcher = new Pool(origin.origin, {
      ...options,
      // Else the name in the request's Host would be that for TLS
      connect: (target, callback) => connect({ ...target, servername: servername(origin) }, callback),
    });
    this.#onOpen(dispatcher);
    return { origin, dispatcher };
  }

  #follow(endpoints: readonly E[]): void {
    const before = this.#entries;
    this.#entries = new Map();
    for (const { id, url } of endpoints) {
      const entry = before.get(id);
      this.#entries.set(id, entry?.url === url && entry !== undefined ? entry : { url, upstream: undefined });
    }
    for (const [id, entry] of before) {
      // What is under way there may finish
      if (this.#entries.get(id) !== entry) entry.upstream?.dispatcher.close().catch(() => {});
    }
  }
}
