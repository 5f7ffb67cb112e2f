import { functionOf, number, type Random, type RulesFor, readOptions, refused } from '@ashlar/core';
import { HashRing, type Key, type Placement } from '@ashlar/hash-ring';
import type { Endpoint } from '../endpoint.ts';
import { weightOf } from '../endpoint.ts';
import type { Candidate, PickRequest, Policy, PolicyFactory } from '../policy.ts';

export interface ConsistentOptions {
  /**
   * Bounded load: how many times its fair share of all requests in flight an endpoint may have, at least 1. A key whose
   * endpoint is at the bound goes to the next in its order of preference (consistent hashing with bounded loads, Mirrokni,
   * Thorup and Zadimoghaddam, 2018). 1.25 keeps most keys in their place and spreads a hot one. Default: no bound.
   */
  readonly loadFactor?: number;
}

type Place = (endpoints: readonly Endpoint[]) => Placement;

const rules = /* @__PURE__ */ (() =>
  ({ loadFactor: number(undefined, { min: 1 }) }) satisfies RulesFor<ConsistentOptions>)();

const placeRule = /* @__PURE__ */ functionOf<Place>(value => {
  if (typeof value === 'object' && value !== null && 'loadFactor' in value) {
    return 'the options are the second argument: write `consistent(undefined, { loadFactor })`';
  }
  const name = typeof value === 'function' ? value.name : 'HashRing';
  return `write \`endpoints => new ${name}(endpoints)\``;
});

/**
 * Sticky sessions: equal keys go to the same endpoint while it takes requests, otherwise to the next in the key's order of
 * preference. A request without a key goes where a random key would.
 *
 * Weights are relative: all are divided by one power of 16, so that the greatest is at least 1 and below 16. Keys may move
 * when the greatest weight passes such a power.
 *
 * @param place makes a placement whose nodes have the ids of the endpoints, with these weights; called at each change of
 *   the eligible endpoints. Default: one `HashRing` that follows them step by step, which costs less.
 *
 * @throws InvalidOptionError
 */
export function consistent(place?: Place, options: ConsistentOptions = {}): PolicyFactory {
  placeRule(place, 'place');
  const { loadFactor } = readOptions('consistent', options, rules);
  return () => new Consistent(place ?? followingRing(), loadFactor);
}

class Consistent<E extends Endpoint> implements Policy<E> {
  readonly #place: Place;
  readonly #loadFactor: number | undefined;
  readonly #randomKey = new Uint32Array(2);
  readonly #randomBytes: Uint8Array = new Uint8Array(this.#randomKey.buffer);
  #placement: Placement | undefined;
  #candidates: ReadonlyMap<string, Candidate<E>> = new Map();
  #totalWeight = 0;
  /** How much a unit of weight may have in flight. A field, as the request is, so that a pick needs no closure. */
  #bound = Infinity;
  #request: PickRequest<E> | undefined;
  #found: Candidate<E> | undefined;

  constructor(place: Place, loadFactor: number | undefined) {
    this.#place = place;
    this.#loadFactor = loadFactor;
  }

  update(eligible: readonly Candidate<E>[], all: readonly Candidate<E>[] = eligible): void {
    const unit = unitOf(all);
    const endpoints = eligible.map(({ endpoint, weight }) => {
      const placed = weight / unit;
      return weightOf(endpoint) === placed ? endpoint : { ...endpoint, weight: placed };
    });
    this.#found = undefined;
    this.#placement = endpoints.length === 0 ? undefined : checkedPlacement(this.#place(endpoints));
    this.#candidates = new Map(eligible.map(candidate => [candidate.endpoint.id, candidate]));
    this.#totalWeight = eligible.reduce((sum, { weight }) => sum + weight, 0);
  }

  pick(request: PickRequest<E>): Candidate<E> | undefined {
    if (this.#placement === undefined) return undefined;
    const key = request.key ?? this.#draw(request.random);
    this.#request = request;
    if (this.#loadFactor === undefined) return this.#find(key, this.#accepts);
    this.#bound = (this.#loadFactor * (this.#load(request) + 1)) / this.#totalWeight;
    // Every endpoint below its bound may be skipped: one above it is better than none
    return this.#find(key, this.#acceptsWithinBound) ?? this.#find(key, this.#accepts);
  }

  #find(key: Key, accept: (id: string) => boolean): Candidate<E> | undefined {
    const id = this.#placement!.find(key, accept);
    if (id === undefined) return undefined;
    // Mostly the one that was accepted last, which saves a lookup
    const found = this.#found;
    return found?.endpoint.id === id ? found : this.#candidates.get(id);
  }

  readonly #accepts = (id: string): boolean => {
    const candidate = this.#candidates.get(id);
    this.#found = candidate;
    return candidate !== undefined && !this.#request!.skip(candidate);
  };

  readonly #acceptsWithinBound = (id: string): boolean => {
    const candidate = this.#candidates.get(id);
    this.#found = candidate;
    if (candidate === undefined || this.#request!.skip(candidate)) return false;
    return candidate.inFlight < Math.ceil(this.#bound * candidate.weight);
  };

  #load(request: PickRequest<E>): number {
    if (request.inFlight !== undefined) return request.inFlight;
    let load = 0;
    for (const { inFlight } of this.#candidates.values()) load += inFlight;
    return load;
  }

  #draw(random: Random): Uint8Array {
    this.#randomKey[0] = random() * 2 ** 32;
    this.#randomKey[1] = random() * 2 ** 32;
    return this.#randomBytes;
  }
}

function checkedPlacement(placement: Placement): Placement {
  if (typeof (placement as Partial<Placement> | undefined)?.find === 'function') return placement;
  throw refused('place', 'a function that makes a placement', placement);
}

/** More weight does not fit the points of a `HashRing`. */
const maxTotal = 100_000;

/**
 * The power of 16 that all weights are divided by. Wide steps, and the weights of all endpoints, eligible or not and
 * before any slow start, so that it seldom changes: then keys move.
 */
function unitOf<E extends Endpoint>(all: readonly Candidate<E>[]): number {
  let greatest = 0;
  let total = 0;
  for (const { endpoint } of all) {
    greatest = Math.max(greatest, weightOf(endpoint));
    total += weightOf(endpoint);
  }
  let unit = 1;
  if (greatest === 0) return unit;
  while (greatest / unit < 1) unit /= 16;
  while (greatest / unit >= 16 || total / unit > maxTotal) unit *= 16;
  return unit;
}

/** More changes at once cost about as much as a new ring. */
const maxSteps = 8;

/** Makes one ring, and changes it to the given endpoints at each call. */
function followingRing(): (endpoints: readonly Endpoint[]) => Placement {
  let ring = new HashRing();
  let weights = new Map<string, number>();
  return endpoints => {
    const next = new Map(endpoints.map(endpoint => [endpoint.id, weightOf(endpoint)]));
    const left = [...weights.keys()].filter(id => !next.has(id));
    const changed = [...next].filter(([id, weight]) => weights.get(id) !== weight);
    if (left.length + changed.length > maxSteps) {
      ring = new HashRing(Array.from(next, ([id, weight]) => ({ id, weight })));
      weights = next;
      return ring;
    }
    // Recorded step by step: a step that the ring refuses leaves the two consistent
    for (const id of left) {
      ring.remove(id);
      weights.delete(id);
    }
    for (const [id, weight] of changed) {
      if (ring.has(id)) ring.setWeight(id, weight);
      else ring.add({ id, weight });
      weights.set(id, weight);
    }
    return ring;
  };
}
