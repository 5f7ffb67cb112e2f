import {
  defaultTo,
  describe,
  durationMs,
  functionOf,
  InvalidOptionError,
  integer,
  listOf,
  objectWith,
  type Random,
  type RulesFor,
  readOptions,
  required,
  seededRandom,
} from '@ashlar/core';
import { nextTask } from '@ashlar/core/testing';
import type { Endpoint } from '../endpoint.ts';
import { LoadBalancer } from '../load-balancer.ts';
import type { LoadBalancerOptions } from '../options.ts';
import { type PolicyFactory, type Probe, policyRule } from '../policy.ts';
import type { RunOptions } from '../request.ts';
import type { Arrivals } from './arrivals.ts';
import type { SimulatedResponse } from './behavior.ts';
import { type ReplicaOptions, SimulatedReplica } from './replica.ts';
import { Figures, type SimulationReport } from './report.ts';
import { VirtualClock } from './virtual-clock.ts';

export interface SimulationOptions {
  readonly replicas: readonly ReplicaOptions[];
  readonly arrivals: Arrivals;
  readonly policy?: PolicyFactory;
  /** The other options of the balancer. */
  readonly balancer?: Omit<LoadBalancerOptions<Endpoint>, 'endpoints' | 'policy' | 'clock' | 'random'>;
  /** The options of the request with this number, from 0: its key, deadline, whether it is idempotent. */
  readonly request?: (index: number) => RunOptions<SimulatedResponse>;
  /** Equal seeds give equal results. Default: 1. */
  readonly seed?: number;
}

const noOptions: NonNullable<SimulationOptions['request']> = () => ({});

const rules = /* @__PURE__ */ (() =>
  ({
    replicas: required(listOf(required(objectWith<ReplicaOptions>([]))), 'a list of replicas'),
    arrivals: required(
      functionOf<Arrivals>('write `arrivals: poisson(perSecond)`'),
      'such as `poisson(200)`',
    ),
    policy: policyRule,
    balancer: defaultTo({}, objectWith<NonNullable<SimulationOptions['balancer']>>([])),
    request: defaultTo(noOptions, functionOf<typeof noOptions>()),
    seed: integer(1),
  }) satisfies RulesFor<SimulationOptions>)();

const duration = /* @__PURE__ */ required(/* @__PURE__ */ durationMs(), 'milliseconds');
const longest = /* @__PURE__ */ required(/* @__PURE__ */ durationMs(undefined, { endless: true }));

/**
 * A `LoadBalancer` in front of simulated replicas, in virtual time: an hour passes in seconds, and equal seeds give equal
 * results. Behaviors may be changed between two calls of `advance`, to see the effect of an episode.
 *
 *     const simulation = new Simulation({ replicas, arrivals: poisson(200), policy: peakEwma() });
 *     await simulation.advance(2_000);
 *     simulation.restart();
 *     simulation.replica('a').behavior = failing();
 *     await simulation.advance(25_000);
 *     console.log(await simulation.finish());
 */
export class Simulation {
  readonly balancer: LoadBalancer<Endpoint>;
  readonly #clock = new VirtualClock();
  readonly #replicas: ReadonlyMap<string, SimulatedReplica>;
  readonly #arrivals: Arrivals;
  readonly #random: Random;
  readonly #request: (index: number) => RunOptions<SimulatedResponse>;
  #figures = new Figures();
  #next = 0;
  #pending = 0;
  #ending = false;

  /** @throws InvalidOptionError, and what `LoadBalancer` throws */
  constructor(options: SimulationOptions) {
    const { replicas, arrivals, policy, balancer, request, seed } = readOptions('Simulation', options, rules);
    // Each has draws of its own, so that two policies get the same requests
    const draws = (part: number) => seededRandom(seed * 1_000_003 + part);
    this.#arrivals = arrivals;
    this.#random = draws(0);
    this.#request = request;
    const simulated = replicas.map(
      (each, index) => new SimulatedReplica(each, this.#clock, draws(index + 2)),
    );
    this.#replicas = new Map(simulated.map(replica => [replica.id, replica]));
    const endpoints = replicas.map(({ id, weight = 1, zone }) => ({ id, weight, ...(zone && { zone }) }));
    const given = { ...balancer, ...(policy && { policy }) };
    this.balancer = new LoadBalancer<Endpoint>({
      ...given,
      endpoints,
      clock: this.#clock,
      random: draws(1),
    });
    this.#arrive();
  }

  /** Milliseconds since it began. */
  get now(): number {
    return this.#clock.now();
  }

  /** @throws InvalidOptionError when there is no such replica */
  replica(id: string): SimulatedReplica {
    const replica = this.#replicas.get(id);
    if (replica === undefined) throw new InvalidOptionError('id', `there is no replica ${describe(id)}`);
    return replica;
  }

  /** For `prequal`: asks a replica for its load. */
  readonly probe: Probe = ({ endpoint: { id }, signal }) => this.replica(id).probe(signal);

  /** Lets time pass. One call at a time. */
  async advance(ms: number): Promise<void> {
    const until = this.now + duration(ms, 'ms');
    while (this.#clock.step(until)) await nextTask();
    this.#clock.skipTo(until);
  }

  /** Resets the figures: they no longer include earlier requests. */
  restart(): void {
    this.#figures = new Figures();
  }

  report(): SimulationReport {
    return this.#figures.report([...this.#replicas.keys()]);
  }

  /** How many of the requests took longer than this until they succeeded or failed. */
  slowerThan(ms: number): number {
    return this.#figures.slowerThan(ms);
  }

  /** Sends no more requests, waits for all answers, at most `maxMs`, and closes the balancer. */
  async finish(maxMs = 600_000): Promise<SimulationReport> {
    const until = this.now + longest(maxMs, 'maxMs');
    this.#ending = true;
    while (this.#pending > 0 && this.#clock.step(until)) await nextTask();
    const report = this.report();
    await this.balancer.close();
    return report;
  }

  #arrive(): void {
    this.#clock.after(this.#arrivals(this.#random, this.now), () => {
      if (this.#ending) return;
      void this.#send(this.#figures);
      this.#arrive();
    });
  }

  async #send(figures: Figures): Promise<void> {
    const startedAt = this.now;
    const options = this.#request(this.#next++);
    figures.requests++;
    this.#pending++;
    const attempt = ({ endpoint: { id } }: { readonly endpoint: Endpoint }) => {
      figures.attempt(id);
      return this.replica(id).handle();
    };
    const succeeded = await this.balancer.run(attempt, options).then(
      ({ status }) => status < 400,
      () => false,
    );
    this.#pending--;
    (succeeded ? figures.latencies : figures.failures).push(this.now - startedAt);
  }
}
