import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { type InvalidOptionError, refused } from '@ashlar/core';
import type { EndpointWithUrl } from '../endpoint.ts';
import { ClosedError } from '../errors.ts';
import type { LoadBalancer } from '../load-balancer.ts';
import { DenseSet } from '../util/dense-set.ts';
import { checkBalancer } from './balancer-argument.ts';
import { Pools } from './http/pools.ts';
import { drained, type ShutdownOptions } from './proxy/client/shutdown.ts';
import { Affinity } from './proxy/custom/affinity.ts';
import { Rewriting } from './proxy/custom/rewriting.ts';
import { Exchange } from './proxy/exchange.ts';
import { proxySettings, type ReverseProxyOptions } from './proxy/options.ts';
import { hasBody } from './proxy/request-target.ts';
import { answered, handBack, protocolsOf } from './proxy/tunnel/hand-back.ts';
import { parsesBodies, serve } from './proxy/tunnel/with-body.ts';
import { Tunnel } from './proxy/tunnel.ts';

export {
  RequestStalledError,
  UnforwardableError,
  UpstreamError,
  type UpstreamFailure,
} from './http/errors.ts';
export type { TlsOptions, UpstreamOptions } from './http/options.ts';
export type { ShutdownOptions } from './proxy/client/shutdown.ts';
export type { StickyOptions } from './proxy/custom/affinity.ts';
export type { ProxyHeaders, ReadonlyProxyHeaders } from './proxy/custom/proxy-headers.ts';
export type { HeaderContext, ResponseHeaderContext, RewritingOptions } from './proxy/custom/rewriting.ts';
export type { Classify, ProxyAnswer, ProxyFailure, ProxyResult } from './proxy/custom/verdict.ts';
export type { ProxyErrorMessage } from './proxy/errors.ts';
export { ClientGoneError, TunnelIdleError } from './proxy/errors.ts';
export type { ReverseProxyOptions } from './proxy/options.ts';

/** A handler for the requests of a `node:http` or `node:https` server, or a framework on top of one. */
export interface ReverseProxy extends AsyncDisposable {
  /** Resolves when the request is answered or aborted; never rejects. @throws InvalidOptionError for other objects */
  (request: IncomingMessage, response: ServerResponse): Promise<void>;
  /**
   * For the server's `upgrade` event: forwards a request to switch protocols, as of a WebSocket, and then the bytes of
   * both sides. Resolves when the connection is over; never rejects. Nothing is held back; `tunnelIdleTimeoutMs` limits silence.
   * A request that is not to switch (it has a body, or asks for h2c) goes back to the server's `request` event.
   */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void>;
  /**
   * The graceful end: the server accepts nothing new, what is in flight is served to its end, then all connections close,
   * and the proxy too. Tunnels count as in flight. Resolves also when the time was over and what was left was aborted.
   *
   * @param server the one that the proxy is a handler of, also of a framework on top
   * @throws InvalidOptionError
   */
  shutdown(server: Server | HttpsServer, options?: ShutdownOptions): Promise<void>;
  /** Aborts the requests in flight and closes all connections to endpoints. For a graceful end see `shutdown`. */
  close(): Promise<void>;
}

/**
 * Forwards each request to an endpoint of the balancer at its `url`, and streams the response back.
 *
 * Nothing is sent to the client before the response is complete or has filled `responseBufferBytes`, so that until then
 * another endpoint can take over: a request with an idempotent method when an endpoint breaks the connection, times out
 * or answers 502, 503 or 504; any request when no connection was made. The balancer's `retry` limits the attempts. A
 * request counts as in flight until the last byte from the endpoint; its attempts count as those of `run`.
 *
 * @throws InvalidOptionError, and InvalidEndpointError for an endpoint without an http or https url; a later set that has one is refused
 */
export function reverseProxy<E extends EndpointWithUrl>(
  balancer: LoadBalancer<E>,
  options: ReverseProxyOptions = {},
): ReverseProxy {
  checkBalancer(balancer);
  const settings = proxySettings(options);
  const pools = new Pools(balancer, settings);
  const { sticky, trustForwarded } = settings;
  const affinity = sticky && new Affinity(balancer, sticky, trustForwarded);
  const rewriting = new Rewriting(settings, affinity);
  const inProgress = new DenseSet<Exchange<E> | Tunnel<E>>();
  const closedError = () => new ClosedError(balancer.name, 'NotExecuted');
  let closed = false;
  const whenIdle: (() => void)[] = [];

  const follow = (one: Exchange<E> | Tunnel<E>): Promise<void> => {
    inProgress.add(one);
    if (closed) one.giveUp(closedError());
    return one.run().then(() => {
      inProgress.delete(one);
      if (inProgress.size === 0) for (const resolve of whenIdle.splice(0)) resolve();
    });
  };
  const idle = (): Promise<void> =>
    new Promise(resolve => {
      if (inProgress.size === 0) resolve();
      else whenIdle.push(resolve);
    });
  const handle = (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (!Array.isArray(request?.rawHeaders) || typeof response?.writeHead !== 'function') {
      throw notOfNode(request);
    }
    return follow(new Exchange(balancer, pools, settings, rewriting, request, response));
  };
  const upgrade = async (request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    await answered(socket);
    if (socket.destroyed) return;
    const protocols = protocolsOf(request);
    if (protocols === undefined && hasBody(request)) {
      socket.on('error', () => {}); // While it is found out
      if ((await parsesBodies()) && serve(request, settings.idleTimeoutMs)) return;
    }
    if (protocols === undefined && handBack(request, socket, head)) return;
    await follow(new Tunnel(balancer, pools, settings, rewriting, request, socket, head, protocols));
  };
  const close = async (): Promise<void> => {
    closed = true;
    rewriting.close();
    for (const one of inProgress) one.giveUp(closedError());
    await pools.destroy();
  };
  const shutdown: ReverseProxy['shutdown'] = async (server, options = {}) => {
    await drained(server, options, () => {
      for (const one of inProgress) if (one instanceof Exchange) one.isLast();
      return idle();
    });
    await close();
    server.closeAllConnections();
  };
  return Object.assign(handle, { upgrade, shutdown, close, [Symbol.asyncDispose]: close });
}

function notOfNode(request: unknown): InvalidOptionError {
  const advice = 'in Fastify write `proxy(request.raw, reply.raw)`';
  return refused('request', 'the IncomingMessage of `node:http`, with its ServerResponse', request, advice);
}
