import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { EndpointWithUrl } from '../../endpoint.ts';
import type { LoadBalancer } from '../../load-balancer.ts';
import type { AttemptContext, AttemptResult, Verdict } from '../../request.ts';
import { verdictOf } from '../../requests/classify.ts';
import type { DenseSetItem } from '../../util/dense-set.ts';
import { UnforwardableError, UpstreamError } from '../http/errors.ts';
import { StallWatch } from '../http/limits/stall-watch.ts';
import type { Pools } from '../http/pools.ts';
import { reset } from '../http/resets.ts';
import { sent } from '../http/sent.ts';
import type { Rewriting } from './custom/rewriting.ts';
import { type Answer, verdictOnAnswer, verdictOnError } from './custom/verdict.ts';
import { ClientGoneError, clientLeft, problem, proxyErrors, statusOf, TunnelIdleError } from './errors.ts';
import type { RawHeaders } from './headers.ts';
import { maxForwards, refuseLoop } from './hops.ts';
import type { ProxySettings } from './options.ts';
import { requestHeaders } from './request-headers.ts';
import { type RequestTarget, targetOf } from './request-target.ts';
import { isBodiless, type ResponseHead, reasonPhrase, responseHead, writeHead } from './response-head.ts';
import { EarlyBytes } from './tunnel/early.ts';
import { handshake } from './tunnel/handshake.ts';
import { endWith, relay } from './tunnel/relay.ts';

/** A request to switch protocols, as of a WebSocket, and the connection that follows. */
export class Tunnel<E extends EndpointWithUrl> implements DenseSetItem {
  index = 0;
  readonly #balancer: LoadBalancer<E>;
  readonly #pools: Pools<E>;
  readonly #settings: ProxySettings;
  readonly #rewriting: Rewriting<E>;
  readonly #request: IncomingMessage;
  readonly #socket: Duplex;
  readonly #early: EarlyBytes;
  readonly #protocols: string | undefined;
  readonly #stop = new AbortController();
  /** Whether the client has received a part of the response. */
  #committed = false;
  #switched = false;
  /** Of the latest attempt. */
  #endpoint: E | undefined;

  constructor(
    balancer: LoadBalancer<E>,
    pools: Pools<E>,
    settings: ProxySettings,
    rewriting: Rewriting<E>,
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    protocols: string | undefined,
  ) {
    this.#balancer = balancer;
    this.#pools = pools;
    this.#settings = settings;
    this.#rewriting = rewriting;
    this.#request = request;
    this.#socket = socket;
    this.#early = new EarlyBytes(socket, head, () => this.giveUp(clientLeft()));
    this.#protocols = protocols;
  }

  /** Ends the tunnel. Counts against no endpoint. */
  giveUp(reason: unknown): void {
    this.#stop.abort(reason);
  }

  /** Resolves when the connection is over; never rejects. */
  async run(): Promise<void> {
    const gone = () => this.giveUp(clientLeft());
    this.#socket.on('error', gone).on('close', gone);
    try {
      const protocols = this.#protocols;
      if (protocols === undefined) throw new UnforwardableError('the request cannot switch protocols');
      const target = this.#rewriting.target(targetOf(this.#request));
      refuseLoop(this.#request, this.#settings.pseudonym);
      if (maxForwards(this.#request) === 0) throw new UnforwardableError('its Max-Forwards is 0');
      await this.#balancer.run(context => this.#attempt(target, protocols, context), {
        key: this.#settings.key(this.#request),
        prefer: this.#rewriting.preferred(this.#request),
        idempotent: this.#request.method === 'GET',
        hedge: false,
        signal: this.#stop.signal,
        classify: result => this.#classify(result),
      });
      endWith(this.#socket, '', this.#settings.idleTimeoutMs);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The verdict is on the response; the request is in flight until the connection is over. */
  async #attempt(target: RequestTarget, protocols: string, context: AttemptContext<E>): Promise<Answer> {
    const { endpoint, signal } = context;
    this.#endpoint = endpoint;
    const startedAt = performance.now();
    const upstream = this.#pools.of(endpoint);
    const headers = requestHeaders(this.#request, target, upstream, this.#settings);
    const about = { request: this.#request, endpoint };
    this.#rewrite(() => this.#rewriting.toEndpoint(headers, target, about));
    headers.push('connection', 'upgrade', 'upgrade', protocols);
    const request = {
      origin: upstream.origin,
      method: this.#request.method!,
      path: upstream.target(target.path),
      headers,
    };
    const { response, socket, head } = await handshake(endpoint.id, request, this.#settings, signal);
    const latencyMs = performance.now() - startedAt;
    const status = response.statusCode!;
    if (verdictOf(status).ok) context.answered();
    const answered = responseHead(status, response.rawHeaders);
    try {
      this.#rewrite(() => this.#rewriting.toClient(answered.headers, { ...about, status }));
      if (socket === undefined) {
        await this.#refuse(endpoint.id, response, answered, signal);
      } else {
        context.answered();
        await this.#join(response, answered.headers, socket, head, signal);
      }
    } catch (cause) {
      response.destroy();
      socket?.destroy();
      if (cause instanceof UpstreamError) throw cause;
      throw new UpstreamError(endpoint.id, 'truncated', 'Unknown', { cause });
    }
    return { status, headers: answered.headers, latencyMs };
  }

  /** An error of a function of the user's fails the request, and counts against no endpoint. */
  #rewrite(rewrite: () => void): void {
    try {
      rewrite();
    } catch (error) {
      this.giveUp(error);
      throw error;
    }
  }

  /** Sends on the bytes of both sides until the endpoint ends, or they are silent for too long. */
  async #join(
    response: IncomingMessage,
    headers: RawHeaders,
    socket: Duplex,
    head: Buffer,
    signal: AbortSignal,
  ): Promise<void> {
    const onAbort = () => reset(socket);
    signal.addEventListener('abort', onAbort, { once: true });
    const { tunnelIdleTimeoutMs, idleTimeoutMs } = this.#settings;
    try {
      const switching = [...headers, 'connection', 'upgrade', 'upgrade', response.headers.upgrade ?? ''];
      this.#switched = true;
      this.#committed = true;
      this.#socket.write(headOf(response.statusCode!, response.statusMessage, switching), 'latin1');
      this.#socket.write(head);
      socket.write(this.#early.stop());
      await relay(this.#socket, socket, {
        idleTimeoutMs: tunnelIdleTimeoutMs,
        endedTimeoutMs: idleTimeoutMs,
        onIdle: timeoutMs => this.giveUp(new TunnelIdleError(timeoutMs)),
      });
    } finally {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
    }
  }

  /** Sends on a response that does not switch, framed so that the client sees whether it is whole. */
  async #refuse(
    endpoint: string,
    response: IncomingMessage,
    { headers, coded }: ResponseHead,
    signal: AbortSignal,
  ): Promise<void> {
    if (coded && !isBodiless(response.statusCode!, this.#request.method)) {
      response.destroy();
      throw new UpstreamError(endpoint, 'malformed', 'Unknown');
    }
    const answer = new ServerResponse(this.#request);
    const stalled = () => {
      if (this.#socket.writableNeedDrain)
        this.giveUp(new ClientGoneError('the client stopped taking the response'));
      else response.destroy(new UpstreamError(endpoint, 'timeout', 'Unknown'));
    };
    let chunks = 0;
    response.on('data', () => void chunks++);
    const watch = new StallWatch(
      this.#settings.idleTimeoutMs,
      async maxAgeMs => `${chunks} ${await sent(this.#socket as Socket, maxAgeMs)}`,
      stalled,
    );
    watch.start();
    answer.assignSocket(this.#socket as Socket);
    answer.shouldKeepAlive = false;
    this.#committed = true;
    writeHead(answer, response.statusCode!, response.statusMessage, headers);
    // At once; see HeldResponse
    answer.write('', 'latin1');
    // The server does so for its connections, and has let go of this one
    const drained = () => void answer.emit('drain');
    this.#socket.on('drain', drained);
    const onAbort = () => response.destroy();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      // Not by pipeline, which would end the connection of the client before the failure is the endpoint's
      response.pipe(answer);
      await finished(response);
    } finally {
      watch.end();
      this.#socket.off('drain', drained);
      signal.removeEventListener('abort', onAbort);
    }
  }

  #classify(result: AttemptResult<Answer>): Verdict {
    const about = { request: this.#request, endpoint: this.#endpoint! };
    const repeatable = { unread: !this.#committed, safe: this.#request.method === 'GET', waiting: false };
    return 'error' in result
      ? verdictOnError(about, result.error, this.#settings.classify, repeatable)
      : verdictOnAnswer(about, result.value, this.#settings.classify, repeatable);
  }

  #fail(error: unknown): void {
    const socket = this.#socket;
    const status = this.#committed || error instanceof ClientGoneError ? undefined : statusOf(error);
    if (status === undefined) {
      // In a tunnel an end may have a meaning
      if (this.#switched && error instanceof UpstreamError) reset(socket);
      else socket.destroy();
    } else {
      const { headers, body } = problem(status, error);
      const head = headOf(status, undefined, [...headers, 'connection', 'close']);
      endWith(socket, head + body, this.#settings.idleTimeoutMs);
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
