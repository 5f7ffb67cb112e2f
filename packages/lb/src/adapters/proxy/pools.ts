import { buildConnector, type Dispatcher, Pool } from '#undici';
import type { Endpoint } from '../../endpoint.ts';
import type { LoadBalancer } from '../../load-balancer.ts';
import { UpstreamError } from './errors.ts';
import type { ProxySettings } from './options.ts';
import { servername } from './target.ts';

/** Where an endpoint is reached. */
export interface Upstream {
  readonly origin: URL;
  readonly dispatcher: Dispatcher;
}

interface Entry {
  readonly url: string | undefined;
  upstream: (Upstream & { readonly dispatcher: Pool }) | undefined;
}

/** A pool of connections for each endpoint, made when it is first asked for, closed when the endpoint leaves or moves. */
export class Pools<E extends Endpoint> {
  readonly #settings: ProxySettings;
  readonly #unwatch: () => void;
  #entries = new Map<string, Entry>();

  constructor(balancer: LoadBalancer<E>, settings: ProxySettings) {
    this.#settings = settings;
    this.#unwatch = balancer.watch(endpoints => this.#follow(endpoints));
  }

  /** @throws UpstreamError when it has no usable url, or has left in the meantime */
  of({ id }: E): Upstream {
    const entry = this.#entries.get(id);
    if (entry === undefined) throw new UpstreamError(id, 'unreachable', 'NotExecuted');
    entry.upstream ??= this.#open(id, entry.url);
    return entry.upstream;
  }

  async close(): Promise<void> {
    this.#unwatch();
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    await Promise.all(entries.map(({ upstream }) => upstream?.dispatcher.destroy()));
  }

  #open(id: string, url: string | undefined): Upstream & { readonly dispatcher: Pool } {
    const origin = httpUrl(url);
    if (origin === undefined) throw new UpstreamError(id, 'url', 'NotExecuted');
    const { connections, connectTimeoutMs, maxHeaderBytes, tls } = this.#settings;
    const connect = buildConnector({
      ...tls,
      timeout: connectTimeoutMs,
    } as buildConnector.BuildOptions);
    const dispatcher = new Pool(origin.origin, {
      connections,
      // Else the name in the client's Host would be that for TLS
      connect: (options, callback) => connect({ ...options, servername: servername(origin) }, callback),
      maxHeaderSize: maxHeaderBytes,
      // Attempts keep their own time: undici's is rounded up to a second
      headersTimeout: 0,
      bodyTimeout: 0,
    });
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

function httpUrl(url: string | undefined): URL | undefined {
  if (url === undefined || !URL.canParse(url)) return undefined;
  const parsed = new URL(url);
  return parsed.protocol === 'http:' || parsed.protocol === 'https:' ? parsed : undefined;
}
