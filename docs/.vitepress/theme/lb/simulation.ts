import { type Clock, type Random, seededRandom } from '@ashlar/core';
import { LoadBalancer, type PolicyFactory } from '@ashlar/lb';

export type Health = 'healthy' | 'slow' | 'failing';

export interface ReplicaView {
  readonly id: string;
  readonly health: Health;
  readonly state: string;
  readonly inFlight: number;
  readonly picked: number;
}

export interface Figures {
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** The part of the requests that failed, 0 to 1. */
  readonly failed: number;
}

interface Finish {
  readonly at: number;
  run(): void;
}

/** How many requests a replica has at most, in hand and waiting; it fails those beyond. */
export const roomOf = 20;
const serviceMs = 40;
const slowdown = 8;
const failingMs = 2;
const requestsPerSecond = 60;
/** The figures are those of so many requests. */
const remembered = 400;

/** Replicas that do one request after another, behind one balancer. */
class World {
  readonly #clock: { now: number };
  readonly #balancer: LoadBalancer<{ id: string }>;
  readonly #freeAt = new Map<string, number>();
  readonly #queued = new Map<string, number>();
  readonly #latencies: number[] = [];
  readonly #failures: boolean[] = [];
  #finishes: Finish[] = [];

  constructor(ids: readonly string[], policy: PolicyFactory, time: { now: number }, random: Random) {
    this.#clock = time;
    const clock: Clock = { now: () => time.now, sleep: () => new Promise(() => {}) };
    const outlier = { baseEjectionMs: 5_000 };
    this.#balancer = new LoadBalancer({ endpoints: ids.map(id => ({ id })), policy, clock, random, outlier });
  }

  /** A request that is `workMs` of work for a healthy replica. */
  arrive(workMs: number, healthOf: (id: string) => Health): void {
    const { now } = this.#clock;
    const picked = this.#balancer.pick();
    const { id } = picked.endpoint;
    const health = healthOf(id);
    const ok = health !== 'failing' && this.#queuedAt(id) < roomOf;
    const at = ok ? this.#work(id, workMs * (health === 'slow' ? slowdown : 1)) : now + failingMs;
    this.#schedule(at, () => {
      picked.done({ ok });
      this.#remember(at - now, ok);
    });
  }

  /** Ends the requests that are due. */
  settle(): void {
    for (
      let next = this.#finishes[0];
      next !== undefined && next.at <= this.#clock.now;
      next = this.#finishes[0]
    ) {
      this.#finishes.shift();
      next.run();
    }
  }

  get nextFinish(): number {
    return this.#finishes[0]?.at ?? Infinity;
  }

  replicas(healthOf: (id: string) => Health): ReplicaView[] {
    return this.#balancer.snapshot().endpoints.map(({ id, state, inFlight, picked }) => ({
      id,
      health: healthOf(id),
      state,
      inFlight,
      picked,
    }));
  }

  figures(): Figures {
    const sorted = [...this.#latencies].sort((a, b) => a - b);
    const at = (quantile: number): number => sorted[Math.floor(quantile * (sorted.length - 1))] ?? 0;
    const failed = this.#failures.filter(Boolean).length / Math.max(1, this.#failures.length);
    return { p50Ms: at(0.5), p99Ms: at(0.99), failed };
  }

  #queuedAt(id: string): number {
    return this.#queued.get(id) ?? 0;
  }

  /** Puts work behind what a replica has; returns when it is done. */
  #work(id: string, ms: number): number {
    const done = Math.max(this.#clock.now, this.#freeAt.get(id) ?? 0) + ms;
    this.#freeAt.set(id, done);
    this.#queued.set(id, this.#queuedAt(id) + 1);
    this.#schedule(done, () => this.#queued.set(id, this.#queuedAt(id) - 1));
    return done;
  }

  #schedule(at: number, run: () => void): void {
    const index = this.#finishes.findIndex(other => other.at > at);
    if (index === -1) this.#finishes.push({ at, run });
    else this.#finishes.splice(index, 0, { at, run });
  }

  #remember(latencyMs: number, ok: boolean): void {
    if (ok) this.#latencies.push(latencyMs);
    this.#failures.push(!ok);
    if (this.#latencies.length > remembered) this.#latencies.shift();
    if (this.#failures.length > remembered) this.#failures.shift();
  }
}

/** The same requests, at the same times, for the same replicas, balanced by several policies. */
export class Simulation<Name extends string> {
  readonly #time = { now: 0 };
  readonly #random: Random;
  readonly #worlds = new Map<Name, World>();
  readonly #health: Map<string, Health>;
  #nextArrival = 0;

  constructor(policies: Readonly<Record<Name, PolicyFactory>>, replicas: number, seed: number) {
    this.#random = seededRandom(seed);
    const ids = Array.from({ length: replicas }, (_, index) => `replica-${index + 1}`);
    this.#health = new Map(ids.map(id => [id, 'healthy']));
    for (const name of Object.keys(policies) as Name[]) {
      this.#worlds.set(name, new World(ids, policies[name], this.#time, seededRandom(seed + 1)));
    }
  }

  get nowMs(): number {
    return this.#time.now;
  }

  setHealth(id: string, health: Health): void {
    this.#health.set(id, health);
  }

  advance(ms: number): void {
    const until = this.#time.now + ms;
    while (this.#step(until));
    this.#time.now = until;
  }

  replicas(name: Name): ReplicaView[] {
    return this.#worlds.get(name)?.replicas(this.#healthOf) ?? [];
  }

  figures(): { name: Name; figures: Figures }[] {
    return Array.from(this.#worlds, ([name, world]) => ({ name, figures: world.figures() }));
  }

  /** Goes to the next thing that happens; false when there is none until then. */
  #step(until: number): boolean {
    const worlds = [...this.#worlds.values()];
    const next = Math.min(this.#nextArrival, ...worlds.map(world => world.nextFinish));
    if (next > until) return false;
    this.#time.now = next;
    for (const world of worlds) world.settle();
    if (next === this.#nextArrival) {
      const workMs = -serviceMs * Math.log(1 - this.#random());
      for (const world of worlds) world.arrive(workMs, this.#healthOf);
      this.#nextArrival += (-1000 / requestsPerSecond) * Math.log(1 - this.#random());
    }
    return true;
  }

  readonly #healthOf = (id: string): Health => this.#health.get(id) ?? 'healthy';
}
