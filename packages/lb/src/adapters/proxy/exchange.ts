import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Key } from '@ashlar/hash-ring';
import type { EndpointWithUrl } from '../../endpoint.ts';
import type { LoadBalancer } from '../../load-balancer.ts';
import type { AttemptContext, AttemptResult, RunOptions, Verdict } from '../../request.ts';
import { verdictOf } from '../../requests/classify.ts';
import { Cancellation } from '../../util/cancellation.ts';
import type { DenseSetItem } from '../../util/dense-set.ts';
import { UnforwardableError } from '../http/errors.ts';
import { StallWatch } from '../http/limits/stall-watch.ts';
import type { Pools } from '../http/pools.ts';
import { idempotentMethods } from '../http/replay.ts';
import { reset } from '../http/resets.ts';
import { sent } from '../http/sent.ts';
import { turnOf } from './client/turn.ts';
import { RequestContext, ResponseContext, type Rewriting } from './custom/rewriting.ts';
import { verdictOnAnswer, verdictOnError } from './custom/verdict.ts';
import { ClientGoneError, clientLeft, problem, proxyErrors, statusOf } from './errors.ts';
import { HeldResponse } from './held-response.ts';
import { finalAnswer, maxForwards, refuseLoop } from './hops.ts';
import type { ProxySettings } from './options.ts';
import { RequestBody } from './request-body.ts';
import { requestHeaders } from './request-headers.ts';
import { hasBody, type RequestTarget, targetOf } from './request-target.ts';
import { writeHead } from './response-head.ts';
import { UpstreamAttempt, UpstreamRequest } from './upstream-attempt.ts';

/** One request of a client and its response. It is also the options of the balancer's `run`. */
export class Exchange<E extends EndpointWithUrl> implements RunOptions<HeldResponse>, DenseSetItem {
  index = 0;
  key: Key | undefined;
  prefer: string | undefined;
  readonly idempotent: boolean;
  /** Two concurrent attempts would answer one client. */
  readonly hedge = false;
  readonly timeoutMs: number | undefined;
  readonly cancellation: Cancellation = new Cancellation();
  readonly classify = (result: AttemptResult<HeldResponse>): Verdict => this.#classify(result);
  readonly #onClose = (): void => {
    if (this.#response.writableFinished) return;
    this.giveUp(clientLeft());
  };
  readonly #balancer: LoadBalancer<E>;
  readonly #pools: Pools<E>;
  readonly #settings: ProxySettings;
  readonly #rewriting: Rewriting<E>;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly body: RequestBody | undefined;
  /** Of the attempt in flight, or the last one. */
  #held: HeldResponse | undefined;
  #attempted: UpstreamAttempt | undefined;
  #uptake: StallWatch | undefined;
  #isOver = false;
  #about: RequestContext | undefined;

  constructor(
    balancer: LoadBalancer<E>,
    pools: Pools<E>,
    settings: ProxySettings,
    rewriting: Rewriting<E>,
    request: IncomingMessage,
    response: ServerResponse,
  ) {
    this.#balancer = balancer;
    this.#pools = pools;
    this.#settings = settings;
    this.#rewriting = rewriting;
    this.#request = request;
    this.#response = response;
    this.idempotent = idempotentMethods.has(request.method!);
    this.timeoutMs = settings.timeoutMs;
    if (!hasBody(request)) return;
    const { requestBufferBytes, idleTimeoutMs } = settings;
    this.body = new RequestBody(request, requestBufferBytes, idleTimeoutMs, error => this.giveUp(error));
  }

  /** Fails the request. Counts against no endpoint. */
  giveUp(reason: unknown): void {
    this.cancellation.abort(reason);
  }

  /** The connection of the client ends with this response. */
  isLast(): void {
    if (!this.#response.headersSent) this.#response.shouldKeepAlive = false;
  }

  /** Never rejects: errors go to the client and the channel. */
  async run(): Promise<void> {
    const turn = turnOf(this.#request, this.#response, this.cancellation);
    if (turn !== undefined) await turn;
    if (this.#response.destroyed || refused.has(this.#request.socket)) return;
    this.#response.on('close', this.#onClose);
    try {
      if (this.#request.socket.destroyed) throw clientLeft();
      const target = this.#rewriting.target(targetOf(this.#request));
      refuseLoop(this.#request, this.#settings.pseudonym);
      if (this.#request.method === 'TRACE' && this.body !== undefined) {
        throw new UnforwardableError('a TRACE request has a body');
      }
      if (maxForwards(this.#request) === 0) return this.#answer();
      this.key = this.#settings.key(this.#request);
      this.prefer = this.#rewriting.preferred(this.#request);
      const gathering = this.body?.gather(this.cancellation);
      if (gathering !== undefined) await gathering;
      const held = await this.#balancer.run(context => this.#attempt(target, context), this);
      held.end();
    } catch (error) {
      this.#fail(error);
    }
    this.#release();
  }

  /** Node's request and response may stay in memory for long; see `Fulfilled` in `requests/execution.ts`. */
  #release(): void {
    this.#isOver = true;
    const response = this.#response;
    response.off('close', this.#onClose);
    this.body?.free();
    this.#held = undefined;
    this.#attempted = undefined;
    if (response.socket === null || response.socket.writableLength === 0) {
      this.#uptake?.end();
      return;
    }
    // Not all of it has reached the kernel
    this.uptake.start();
    response.once('close', () => this.#uptake?.end());
  }

  /** Watches whether the client takes what is sent; started while something waits. */
  get uptake(): StallWatch {
    const { socket } = this.#request;
    this.#uptake ??= new StallWatch(
      this.#settings.idleTimeoutMs,
      maxAgeMs => sent(socket, maxAgeMs),
      () => this.#onStall(),
    );
    return this.#uptake;
  }

  #onStall(): void {
    const error = new ClientGoneError('the client stopped taking the response');
    if (this.#isOver) this.#fail(error);
    else this.giveUp(error);
  }

  /** Answers in place of an endpoint. */
  #answer(): void {
    const { status, headers, body } = finalAnswer(this.#request);
    writeHead(this.#response, status, undefined, headers);
    this.#response.end(body, 'latin1');
    this.#release();
  }

  #attempt(target: RequestTarget, context: AttemptContext<E>): Promise<HeldResponse> {
    const { endpoint, cancellation } = context;
    const request = this.#request;
    const about = new RequestContext(request, endpoint);
    this.#about = about;
    this.#attempted = undefined;
    const upstream = this.#pools.of(endpoint);
    const held = new HeldResponse(
      this.#response,
      this.#settings.responseBufferBytes,
      () => this.#isRepeatable(),
      status => {
        if (verdictOf(status).ok) context.answered();
      },
      (status, headers) =>
        this.#rewrites(() => this.#rewriting.toClient(headers, new ResponseContext(about, status))),
    );
    this.#held = held;
    const attempt = new UpstreamAttempt(endpoint.id, upstream, held, this.#settings, this);
    this.#attempted = attempt;
    cancellation.onAbort(() => attempt.abort());
    const made = () => {
      const headers = requestHeaders(request, target, upstream, this.#settings);
      if (!this.#rewrites(() => this.#rewriting.toEndpoint(headers, target, about))) return;
      return new UpstreamRequest(
        request.method!,
        upstream.target(target.path),
        headers,
        this.body?.open() ?? null,
        upstream.hostname,
      );
    };
    const first = made();
    if (first !== undefined) attempt.send(first, () => (this.#isRepeatable() ? made() : undefined));
    return attempt.finished;
  }

  /** Returns false when a function of the user's throws: that fails the request. */
  #rewrites(rewrite: () => void): boolean {
    try {
      rewrite();
      return true;
    } catch (error) {
      this.giveUp(error);
      return false;
    }
  }

  /** A request is not repeated once the client has seen a part of the response, or without its whole body. */
  #classify(result: AttemptResult<HeldResponse>): Verdict {
    const unread = this.#held?.committed !== true && this.body?.replayable !== false;
    const waiting = this.#attempted?.isWaiting === true;
    const repeatable = { unread, safe: this.#isRepeatable(), waiting };
    const about = this.#about!;
    return 'error' in result
      ? verdictOnError(about, result.error, this.#settings.classify, repeatable)
      : verdictOnAnswer(about, result.value, this.#settings.classify, repeatable);
  }

  /** Whether another endpoint may answer after this one has begun. */
  #isRepeatable(): boolean {
    return this.idempotent && this.body?.replayable !== false;
  }

  #fail(error: unknown): void {
    const response = this.#response;
    const gone = response.destroyed || error instanceof ClientGoneError;
    // After the head, a broken connection is the only sign of an incomplete response
    const status = gone || response.headersSent ? undefined : statusOf(error);
    if (status === undefined) cut(this.#request, response);
    else refuse(this.#request, response, status, error);
    if (!proxyErrors.hasSubscribers) return;
    proxyErrors.publish({ balancer: this.#balancer.name, request: this.#request, error, status });
  }
}

/** Answers the client with an error. */
function refuse(request: IncomingMessage, response: ServerResponse, status: number, error: unknown): void {
  const { headers, body } = problem(status, error);
  if (error instanceof UnforwardableError) refused.add(request.socket);
  // The rest of an unfinished request body is not read
  if (!request.complete || refused.has(request.socket)) headers.push('connection', 'close');
  writeHead(response, status, undefined, headers);
  response.end(body);
}

/** Ends the connection so that the client sees that its response is not whole. */
function cut({ httpVersion, socket }: IncomingMessage, response: ServerResponse): void {
  // To HTTP/1.0 the end of the connection is the end of the response
  if (httpVersion === '1.0') reset(socket);
  else response.destroy();
}

/** Connections on which a request was refused: they end with the answer, as what follows may be no request at all. */
const refused = new WeakSet<Socket>();
