import { buildConnector, type Dispatcher, Pool } from '#undici';
import type { EndpointWithUrl } from '../../endpoint.ts';
import type { LoadBalancer } from '../../load-balancer.ts';
import { authorizationIn, targetBelow } from '../../util/endpoint-url.ts';
import { urlCheck } from '../balancer-argument.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import { UpstreamError } from './errors.ts';
import type { UpstreamSettings } from './options.ts';
import { httpUrl, servername } from './url.ts';

/** Where an endpoint listens, and the connections to it. */
export interface Upstream {
  readonly origin: URL;
  /** Of `origin`, whose getters compute them at each access. */
  readonly host: string;
  readonly hostname: string;
  /** For requests without one: the credentials of its url. */
  readonly authorization: string | undefined;
  /** The target of a request there. */
  target(path: string): string;
  readonly dispatcher: Dispatcher;
  /** Whether all the connections that it may have are in use, so that requests wait in this process. */
  readonly isFull: boolean;
  /** Sends one request on a new connection, which closes afterwards. */
  dispatchOnce(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void;
}

/** What breaks when an endpoint closes a kept connection just as a request goes out. */
const closedCodes: ReadonlySet<unknown> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

/** Whether an error may come of a kept connection that the endpoint has closed. */
export function isClosedConnection(error: unknown): boolean {
  return closedCodes.has((error as { readonly code?: unknown } | null)?.code);
}

interface Entry {
  readonly url: string;
  upstream: OpenUpstream | undefined;
}

interface OpenUpstream extends Upstream {
  readonly dispatcher: Pool;
}

const check = urlCheck('an http or https url', url => httpUrl(url) !== undefined);

/** One pool of connections for each endpoint: opened by the first request, closed when the endpoint leaves or moves. */
export class Pools<E extends EndpointWithUrl> {
  readonly #settings: UpstreamSettings;
  readonly #onOpen: (pool: Pool) => void;
  readonly #unwatch: () => void;
  #entries = new Map<string, Entry>();

  /**
   * @param onOpen is called with each new pool
   * @throws InvalidEndpointError for an endpoint without an http or https url; a later set that has one is refused
   */
  constructor(
    balancer: LoadBalancer<E>,
    settings: UpstreamSettings,
    onOpen: (pool: Pool) => void = () => {},
  ) {
    this.#settings = settings;
    this.#onOpen = onOpen;
    this.#unwatch = balancer.watch(endpoints => this.#follow(endpoints), { check });
  }

  /** @throws UpstreamError when the endpoint has left the set */
  of({ id }: E): Upstream {
    const entry = this.#entries.get(id);
    if (entry === undefined) throw new UpstreamError(id, 'unreachable', 'NotExecuted');
    entry.upstream ??= this.#open(entry.url);
    return entry.upstream;
  }

  /** Aborts the requests in flight and closes all connections. */
  async destroy(error: Error | null = null): Promise<void> {
    await Promise.all(this.#dismiss().map(pool => pool.destroy(error)));
  }

  #dismiss(): Pool[] {
    this.#unwatch();
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    return entries.flatMap(({ upstream }) => upstream?.dispatcher ?? []);
  }

  #open(url: string): OpenUpstream {
    const origin = new URL(url);
    const dispatcher = this.#pool(origin, this.#settings.connections);
    this.#onOpen(dispatcher);
    const dispatchOnce: Upstream['dispatchOnce'] = (options, handler) => {
      const once = this.#pool(origin, 1);
      once.dispatch(options, handler);
      once.close().catch(() => {});
    };
    const { host, hostname, pathname, search } = origin;
    const { connections = Infinity } = this.#settings;
    return {
      origin,
      host,
      hostname,
      authorization: authorizationIn(origin),
      target: path => targetBelow({ pathname, search }, path),
      dispatcher,
      dispatchOnce,
      get isFull() {
        return dispatcher.stats.connected >= connections;
      },
    };
  }

  #pool(origin: URL, connections: number | undefined): Pool {
    const { connectTimeoutMs, maxHeaderBytes, tls } = this.#settings;
    // Undici 8 would offer HTTP/2 by itself
    const options = { ...tls, timeout: connectTimeoutMs, allowH2: false };
    const connect = buildConnector(options as buildConnector.BuildOptions);
    return new Pool(origin.origin, {
      // See UpstreamLimits
      headersTimeout: 0,
      bodyTimeout: 0,
      connections: connections ?? null,
      maxHeaderSize: maxHeaderBytes,
      // Without it undici takes the Host of the request as the TLS name
      connect: (target, callback) => connect({ ...target, servername: servername(origin) }, callback),
      factory: (url, options) => new Connection(url, options as ConnectionOptions),
    });
  }

  #follow(endpoints: readonly E[]): void {
    const before = this.#entries;
    this.#entries = new Map();
    for (const { id, url } of endpoints) {
      const entry = before.get(id);
      this.#entries.set(id, entry?.url === url && entry !== undefined ? entry : { url, upstream: undefined });
    }
    for (const [id, entry] of before) {
      // Requests in flight there may finish
      if (this.#entries.get(id) !== entry) entry.upstream?.dispatcher.close().catch(() => {});
    }
  }
}
