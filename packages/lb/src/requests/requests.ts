import { describe, InvalidOptionError } from '@ashlar/core';
import type { Key } from '@ashlar/hash-ring';
import type { Follower } from '../discovery/follower.ts';
import type { Endpoint } from '../endpoint.ts';
import type { Roster } from '../endpoints/endpoint-set.ts';
import type { Flight } from '../endpoints/flight.ts';
import { ClosedError, NoEndpointError } from '../errors.ts';
import type { AcquireOptions, Attempt, PickOptions, RunOptions } from '../request.ts';
import type { RequestsSnapshot } from '../snapshot.ts';
import { UnderWay } from '../util/dense-set.ts';
import type { Timers } from '../util/timers.ts';
import { Budget } from './budget.ts';
import { Call } from './call.ts';
import { type Runner, Running } from './execution.ts';
import { type Hedging, mayHedge } from './hedging.ts';
import type { RetrySettings } from './retry.ts';
import { WaitingLine, type WaitingSettings } from './wait-queue.ts';

/** What requests need of a balancer. */
export interface RequestsSetup<E extends Endpoint> {
  readonly name: string;
  readonly roster: Roster<E>;
  readonly timers: Timers;
  readonly waiting: WaitingSettings;
  readonly retry: RetrySettings | undefined;
  readonly hedging: Hedging | undefined;
  discovery(): Follower<E> | undefined;
}

/** The requests of a balancer: each gets an endpoint, waits for one, is run. */
export class Requests<E extends Endpoint> implements Runner<E> {
  readonly name: string;
  readonly timers: Timers;
  readonly retry: RetrySettings | undefined;
  readonly hedging: Hedging | undefined;
  readonly #roster: Roster<E>;
  readonly #budget: Budget | undefined;
  readonly #discovery: () => Follower<E> | undefined;
  readonly #line: WaitingLine<E>;
  readonly #calls = new UnderWay<Call>();
  #closed = false;
  #retries = 0;
  #retriesRefused = 0;

  constructor({ name, roster, timers, waiting, retry, hedging, discovery }: RequestsSetup<E>) {
    this.name = name;
    this.timers = timers;
    this.retry = retry;
    this.hedging = hedging;
    this.#roster = roster;
    this.#discovery = discovery;
    this.#budget = retry && new Budget(retry.budgetPercent, retry.budgetPerSecond);
    this.#line = new WaitingLine(roster, timers, waiting, {
      reason: () => this.#reason(nobody),
      passes: reason => reason === 'full' || (reason === 'undiscovered' && discovery()?.state === 'waiting'),
      error: reason => this.#error(reason),
    });
    roster.onRoom = room => this.#serve(room);
  }

  pick({ key, exclude }: PickOptions): Flight<E> {
    if (this.#closed) this.#assertOpen();
    const excluded = exclude === undefined ? nobody : idsOf(exclude);
    const flight = this.#roster.choose(key, excluded);
    if (flight === undefined) throw this.#error(this.#reason(excluded));
    return flight;
  }

  async acquire(options: AcquireOptions): Promise<Flight<E>> {
    const call = this.#begin(options);
    try {
      return this.#roster.choose(options.key, nobody) ?? (await this.#wait(call, options.key));
    } finally {
      this.#end(call);
    }
  }

  async run<T>(attempt: Attempt<E, T>, options: RunOptions<T>): Promise<T> {
    if (typeof attempt !== 'function') {
      const message = `\`run\` takes a function that makes an attempt, got ${describe(attempt)}`;
      throw new InvalidOptionError('attempt', message);
    }
    const call = this.#begin(options);
    try {
      const flight = this.#roster.choose(options.key, nobody) ?? (await this.#wait(call, options.key));
      this.#budget?.request(flight.startedAt);
      if (this.hedging !== undefined && mayHedge(options)) this.hedging.budget.request(flight.startedAt);
      return await new Running(this, call, attempt, options).result(flight);
    } finally {
      this.#end(call);
    }
  }

  /** Settles as the work does, or rejects when the time is over, the caller gives up or the balancer closes. */
  async during<T>(options: AcquireOptions, what: string, work: () => Promise<T>): Promise<T> {
    const call = this.#begin(options, what);
    try {
      return await new Promise<T>((resolve, reject) => {
        call.onStop = reject;
        work().then(resolve, reject);
      });
    } finally {
      this.#end(call);
    }
  }

  forRetry({ key }: RunOptions<never>, asked: readonly string[]): Flight<E> | undefined {
    const flight = this.#extra(this.#budget!, key, asked, () => this.#retriesRefused++);
    if (flight !== undefined) this.#retries++;
    return flight;
  }

  forHedge({ key }: RunOptions<never>, asked: readonly string[]): Flight<E> | undefined {
    const hedging = this.hedging!;
    const flight = this.#extra(hedging.budget, key, asked, () => hedging.refused++);
    if (flight !== undefined) hedging.sent++;
    return flight;
  }

  now(): number {
    return this.#roster.now();
  }

  /** Discovery has come to something: those that wait for it may go, or need not wait any more. */
  wake(): void {
    this.#serve(Infinity);
  }

  snapshot(): RequestsSnapshot {
    return {
      waiting: this.#line.length,
      retries: this.#retries,
      retriesRefused: this.#retriesRefused,
      hedges: this.hedging?.sent ?? 0,
      hedgesWon: this.hedging?.won ?? 0,
      hedgesRefused: this.hedging?.refused ?? 0,
    };
  }

  close(): void {
    this.#closed = true;
    for (const call of this.#calls) call.stop(new ClosedError(this.name, call.outcome));
  }

  #begin(options: AcquireOptions, what?: string): Call {
    this.#assertOpen();
    const call = new Call(this.timers, options, what);
    this.#calls.add(call);
    return call;
  }

  #end(call: Call): void {
    this.#calls.delete(call);
    call.end();
  }

  async #wait(call: Call, key: Key | undefined): Promise<Flight<E>> {
    const flight = await this.#line.join(call, key);
    if (!call.stopped) return flight;
    // Between the grant and here
    flight.done();
    throw call.reason;
  }

  #extra(
    budget: Budget,
    key: Key | undefined,
    asked: readonly string[],
    refused: () => void,
  ): Flight<E> | undefined {
    const now = this.now();
    if (!budget.allows(now)) {
      refused();
      return undefined;
    }
    const flight = this.#roster.choose(key, asked);
    if (flight !== undefined) budget.spend(now);
    return flight;
  }

  #serve(room: number): void {
    if (this.#line.length > 0) this.#line.serve(room);
  }

  #reason(excluded: readonly string[]): Reason {
    const { members } = this.#roster;
    if (!members.isEmpty) {
      if (!members.isServing) return 'unhealthy';
      return members.isFull(excluded) ? 'full' : 'excluded';
    }
    return this.#discovery() === undefined || members.size > 0 ? 'empty' : 'undiscovered';
  }

  #error(reason: Reason): NoEndpointError {
    const cause = reason === 'undiscovered' ? this.#discovery()?.error : undefined;
    return new NoEndpointError(this.name, reason, cause === undefined ? {} : { cause });
  }

  #assertOpen(): void {
    if (this.#closed) throw new ClosedError(this.name, 'NotExecuted');
  }
}

type Reason = NoEndpointError['reason'];

const nobody: readonly string[] = [];

function idsOf(exclude: Iterable<string>): readonly string[] {
  if (typeof exclude !== 'string') return Array.isArray(exclude) ? exclude : [...exclude];
  const must = '`exclude` must be a list of ids';
  throw new InvalidOptionError('exclude', `${must}, got the string ${describe(exclude)}`);
}
