import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { Endpoint } from '../../endpoint.ts';
import type { LoadBalancer } from '../../load-balancer.ts';
import type { AttemptContext, AttemptResult, Verdict } from '../../request.ts';
import { notExecuted, verdictOf } from '../../requests/classify.ts';
import type { DenseSetItem } from '../../util/dense-set.ts';
import { UnforwardableError, UpstreamError, upstreamError } from '../http/errors.ts';
import type { Pools } from '../http/pools.ts';
import { servername, upstreamPath } from '../http/url.ts';
import { ClientGoneError, problem, proxyErrors, statusOf } from './errors.ts';
import type { RawHeaders } from './headers.ts';
import { maxForwards, refuseLoop } from './hops.ts';
import type { ProxySettings } from './options.ts';
import { hostOf, requestHeaders } from './request-headers.ts';
import { type RequestTarget, targetOf } from './request-target.ts';
import { reasonPhrase, responseHead } from './response-head.ts';

/** A request to switch protocols, as of a WebSocket, and the connection that follows. */
export class Tunnel<E extends Endpoint> implements DenseSetItem {
  index = 0;
  readonly #balancer: LoadBalancer<E>;
  readonly #pools: Pools<E>;
  readonly #settings: ProxySettings;
  readonly #request: IncomingMessage;
  readonly #socket: Duplex;
  readonly #head: Buffer;
  readonly #protocols: string | undefined;
  readonly #stop = new AbortController();
  /** Whether the client has received a part of the response. */
  #committed = false;

  constructor(
    balancer: LoadBalancer<E>,
    pools: Pools<E>,
    settings: ProxySettings,
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    protocols: string | undefined,
  ) {
    this.#balancer = balancer;
    this.#pools = pools;
    this.#settings = settings;
    this.#request = request;
    this.#socket = socket;
    this.#head = head;
    this.#protocols = protocols;
  }

  /** Ends the tunnel. Counts against no endpoint. */
  giveUp(reason: unknown): void {
    this.#stop.abort(reason);
  }

  /** Resolves when the connection is over; never rejects. */
  async run(): Promise<void> {
    const gone = () => this.giveUp(new ClientGoneError('the client closed the connection'));
    this.#socket.on('error', gone).on('close', gone);
    try {
      const protocols = this.#protocols;
      if (protocols === undefined) throw new UnforwardableError('the request cannot switch protocols');
      const target = targetOf(this.#request);
      refuseLoop(this.#request, this.#settings.pseudonym);
      if (maxForwards(this.#request) === 0) throw new UnforwardableError('its Max-Forwards is 0');
      await this.#balancer.run(context => this.#attempt(target, protocols, context), {
        key: this.#settings.key(this.#request),
        idempotent: this.#request.method === 'GET',
        hedge: false,
        signal: this.#stop.signal,
        classify: result => this.#classify(result),
      });
      this.#socket.end(() => this.#socket.destroy());
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The verdict is on the response; the request is in flight until the connection is over. */
  async #attempt(
    target: RequestTarget,
    protocols: string,
    { endpoint, signal }: AttemptContext<E>,
  ): Promise<Verdict> {
    const startedAt = performance.now();
    const { origin } = this.#pools.of(endpoint);
    const headers = requestHeaders(
      this.#request,
      target,
      hostOf(target, origin, this.#settings.host),
      this.#settings,
    );
    headers.push('connection', 'upgrade', 'upgrade', protocols);
    const request = {
      origin,
      method: this.#request.method!,
      path: upstreamPath(origin, target.path),
      headers,
    };
    const answer = await handshake(endpoint.id, request, this.#settings, signal);
    const latencyMs = performance.now() - startedAt;
    try {
      await this.#relay(answer, signal);
    } catch (cause) {
      throw new UpstreamError(endpoint.id, 'truncated', 'Unknown', { cause });
    }
    return { ...verdictOf(answer.response.statusCode!), latencyMs };
  }

  async #relay({ response, socket, head }: UpgradeResponse, signal: AbortSignal): Promise<void> {
    const from = socket ?? response;
    const onAbort = () => from.destroy();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      this.#begin(response, socket !== undefined);
      this.#socket.write(head);
      from.pipe(this.#socket, { end: false });
      socket?.write(this.#head);
      if (socket !== undefined) this.#socket.pipe(socket);
      await finished(from, { writable: false });
    } finally {
      signal.removeEventListener('abort', onAbort);
      from.destroy();
    }
  }

  #begin(response: IncomingMessage, switches: boolean): void {
    const { headers } = responseHead(response.statusCode!, response.rawHeaders);
    if (switches) headers.push('connection', 'upgrade', 'upgrade', response.headers.upgrade ?? '');
    else headers.push('connection', 'close');
    this.#committed = true;
    this.#socket.write(headOf(response.statusCode!, response.statusMessage, headers), 'latin1');
  }

  #classify(result: AttemptResult<Verdict>): Verdict {
    if ('value' in result) return { ...result.value, retry: false };
    const retry = !this.#committed && (this.#request.method === 'GET' || notExecuted(result.error));
    return { ok: false, retry };
  }

  #fail(error: unknown): void {
    const socket = this.#socket;
    const status = this.#committed || error instanceof ClientGoneError ? undefined : statusOf(error);
    if (status === undefined) {
      socket.destroy();
    } else {
      const { headers, body } = problem(status, error);
      socket.write(headOf(status, undefined, [...headers, 'connection', 'close']), 'latin1');
      socket.end(body, () => socket.destroy());
    }
    if (!proxyErrors.hasSubscribers) return;
    proxyErrors.publish({ balancer: this.#balancer.name, request: this.#request, error, status });
  }
}

function headOf(status: number, message: string | undefined, headers: RawHeaders): string {
  let head = `HTTP/1.1 ${status} ${reasonPhrase(status, message)}\r\n`;
  for (let at = 0; at < headers.length; at += 2) head += `${headers[at]}: ${headers[at + 1]}\r\n`;
  return `${head}\r\n`;
}

interface UpgradeRequest {
  readonly origin: URL;
  readonly method: string;
  readonly path: string;
  readonly headers: RawHeaders;
}

/** The response to a request to switch protocols; `socket` is present when the endpoint switches. */
interface UpgradeResponse {
  readonly response: IncomingMessage;
  readonly socket: Duplex | undefined;
  /** The bytes that followed the response. */
  readonly head: Buffer;
}

/** Sends the request on a connection of its own; rejects with UpstreamError. */
function handshake(
  endpoint: string,
  { origin, ...request }: UpgradeRequest,
  { connectTimeoutMs, headersTimeoutMs, maxHeaderBytes, tls }: ProxySettings,
  signal: AbortSignal,
): Promise<UpgradeResponse> {
  return new Promise((resolve, reject) => {
    const send = origin.protocol === 'https:' ? httpsRequest : httpRequest;
    // Without it Node takes the Host header, the client's, as the TLS name
    const options = { ...tls, ...request, servername: servername(origin), maxHeaderSize: maxHeaderBytes };
    const upstream = send(origin, { ...options, agent: false, signal });
    let connected = false;
    const expire = () => {
      upstream.destroy(new UpstreamError(endpoint, 'timeout', connected ? 'Unknown' : 'NotExecuted'));
    };
    let timer = setTimeout(expire, connectTimeoutMs);
    upstream.once('socket', socket => {
      socket.once('connect', () => {
        connected = true;
        clearTimeout(timer);
        timer = setTimeout(expire, headersTimeoutMs);
      });
    });
    const answered = (response: IncomingMessage, socket: Duplex | undefined, head: Buffer) => {
      clearTimeout(timer);
      resolve({ response, socket, head });
    };
    upstream.once('upgrade', answered);
    upstream.once('response', response => answered(response, undefined, Buffer.alloc(0)));
    upstream.on('error', error => {
      clearTimeout(timer);
      const progress = { started: connected, answered: false };
      reject(error instanceof UpstreamError ? error : upstreamError(endpoint, error, progress));
    });
    upstream.end();
  });
}
