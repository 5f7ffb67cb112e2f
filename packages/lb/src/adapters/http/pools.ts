import { buildConnector, type Dispatcher, Pool } from '#undici';
import type { Endpoint } from '../../endpoint.ts';
import type { LoadBalancer } from '../../load-balancer.ts';
import { balancerOption } from '../../util/option-checks.ts';
import { UpstreamError } from './errors.ts';
import type { UpstreamSettings } from './options.ts';
import { httpUrl, pathPrefix, servername } from './url.ts';

/** Where an endpoint is reached. */
export interface Upstream {
  readonly origin: URL;
  /** Of `origin`, which reckons them anew each time. */
  readonly host: string;
  readonly hostname: string;
  /** What goes before the paths of requests. */
  readonly prefix: string;
  readonly dispatcher: Dispatcher;
}

interface Timeouts {
  readonly headersTimeout: number;
  readonly bodyTimeout: number;
}

interface Entry {
  readonly url: string | undefined;
  upstream: (Upstream & { readonly dispatcher: Pool }) | undefined;
}

/** A pool of connections for each endpoint, made when it is first asked for, closed when the endpoint leaves or moves. */
export class Pools<E extends Endpoint> {
  readonly #settings: UpstreamSettings;
  readonly #timeouts: Timeouts;
  readonly #onOpen: (pool: Pool) => void;
  readonly #unwatch: () => void;
  #entries = new Map<string, Entry>();

  /** @param onOpen told of each pool that is made */
  constructor(
    balancer: LoadBalancer<E>,
    settings: UpstreamSettings,
    timeouts: Timeouts,
    onOpen: (pool: Pool) => void = () => {},
  ) {
    this.#settings = settings;
    this.#timeouts = timeouts;
    this.#onOpen = onOpen;
    this.#unwatch = balancerOption(balancer).watch(endpoints => this.#follow(endpoints));
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
    const { connections, connectTimeoutMs, maxHeaderBytes, tls } = this.#settings;
    const connect = buildConnector({ ...tls, timeout: connectTimeoutMs } as buildConnector.BuildOptions);
    const dispatcher = new Pool(origin.origin, {
      ...this.#timeouts,
      connections,
      maxHeaderSize: maxHeaderBytes,
      // Else the name in the request's Host would be that for TLS
      connect: (target, callback) => connect({ ...target, servername: servername(origin) }, callback),
    });
    this.#onOpen(dispatcher);
    const { host, hostname } = origin;
    return { origin, host, hostname, prefix: pathPrefix(origin), dispatcher };
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
