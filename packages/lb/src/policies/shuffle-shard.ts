import { defaultTo, integer, type RulesFor, readOptions, required } from '@ashlar/core';
import { type Key, murmur3, RendezvousHash } from '@ashlar/hash-ring';
import type { Endpoint } from '../endpoint.ts';
import {
  type Candidate,
  makePolicy,
  type Outcome,
  type PickRequest,
  type Policy,
  type PolicyFactory,
  type Probing,
  policyRule,
} from '../policy.ts';
import { leastRequests } from './least-requests.ts';
import { InnerRequest } from './shared/inner-request.ts';

/** The number of groups of keys, each with its shard: it bounds the memory. */
const groups = 65_536;

export interface ShuffleShardOptions {
  /** How many endpoints serve a key, at least 1. */
  readonly size: number;
  /** Chooses among the endpoints of a key. Default: `leastRequests()`. */
  readonly policy?: PolicyFactory;
}

const rules = /* @__PURE__ */ (() =>
  ({
    size: required(integer(undefined, { min: 1 }), 'how many endpoints serve a key'),
    policy: defaultTo(leastRequests(), policyRule),
  }) satisfies RulesFor<ShuffleShardOptions>)();

/**
 * The requests of a key go to its own few endpoints only, even when those are out: what one key does to them, a flood or a
 * request that kills, does not affect keys that share fewer than all of them. Of n endpoints there are n choose `size`
 * shards, 28 for 2 of 8; where endpoints have zones, a shard spans as many as it can. (Shuffle sharding, as at Amazon
 * Route 53.) A request without a key may go anywhere.
 *
 * When an endpoint joins or leaves, a shard changes by one endpoint at most. An ejected endpoint keeps its keys. The first
 * pick for a group of keys costs time in proportion to the endpoints; later ones cost that of the policy, which has to skip
 * the endpoints of other shards.
 *
 * @throws InvalidOptionError
 */
export function shuffleShard(options: ShuffleShardOptions): PolicyFactory {
  const { size, policy } = readOptions('shuffleShard', options, rules);
  return <E extends Endpoint>() => new ShuffleShard<E>(size, makePolicy(policy));
}

class ShuffleShard<E extends Endpoint> implements Policy<E> {
  readonly #size: number;
  readonly #policy: Policy<E>;
  readonly #request = new InnerRequest<E>(({ endpoint }) => !this.#shard.includes(endpoint.id));
  #shard: readonly string[] = [];
  #nodes: readonly string[] = [];
  #placement = new RendezvousHash();
  #shards = new Map<number, readonly string[]>();

  constructor(size: number, policy: Policy<E>) {
    this.#size = size;
    this.#policy = policy;
  }

  update(eligible: readonly Candidate<E>[], all: readonly Candidate<E>[] = eligible): void {
    const nodes = all.flatMap(({ endpoint: { id, zone = '' } }) => [id, zone]);
    if (nodes.length !== this.#nodes.length || nodes.some((node, index) => node !== this.#nodes[index])) {
      this.#nodes = nodes;
      // Without weights: a change of weight must move no key
      this.#placement = new RendezvousHash(
        all.map(({ endpoint: { id, zone } }) => (zone === undefined ? id : { id, zone })),
      );
      this.#shards = new Map();
    }
    this.#policy.update(eligible, all);
  }

  pick(request: PickRequest<E>): Candidate<E> | undefined {
    if (request.key === undefined || this.#placement.size <= this.#size) return this.#policy.pick(request);
    this.#shard = this.#shardOf(request.key);
    return this.#policy.pick(this.#request.of(request));
  }

  serves(candidate: Candidate<E>, key: Key | undefined): boolean {
    const isFree = key === undefined || this.#placement.size <= this.#size;
    if (!isFree && !this.#shardOf(key).includes(candidate.endpoint.id)) return false;
    return this.#policy.serves?.(candidate, key) ?? true;
  }

  settled(candidate: Candidate<E>, outcome: Outcome, now: number): void {
    this.#policy.settled?.(candidate, outcome, now);
  }

  outrun(candidate: Candidate<E>, afterMs: number, now: number): void {
    this.#policy.outrun?.(candidate, afterMs, now);
  }

  get probing(): Probing<E> | undefined {
    return this.#policy.probing;
  }

  #shardOf(key: Key): readonly string[] {
    const group = murmur3(key) % groups;
    let shard = this.#shards.get(group);
    if (shard === undefined) {
      shard = this.#placement.getN(String(group), this.#size);
      this.#shards.set(group, shard);
    }
    return shard;
  }
}
