import { InvalidOptionError, integerOption, knownOptions } from '@ashlar/core';
import type { Placement } from '../placement.ts';
import { type ByteHash64, keyDigest, ringOf, xx } from './circle64.ts';
import { murmur64A } from './hash/murmur2.ts';
import { choiceOption } from './options.ts';
import { type CheckedSystemNode, distinctNames, type SystemNode, systemNodes } from './system-node.ts';
import { CirclePlacement } from './system-placement.ts';

/** An endpoint: its `id` is its address, `ip:port`, as Envoy prints it. */
export interface EnvoyNode extends SystemNode {
  /** The `hash_key` of its `envoy.lb` metadata, or its hostname with `use_hostname_for_hashing`: hashed for the address. */
  readonly hashKey?: string;
}

export interface EnvoyRingOptions {
  /** `minimum_ring_size`, 1 to 8 388 608; 1024 if absent. */
  readonly minRingSize?: number;
  /** `maximum_ring_size`, 1 to 8 388 608, which is the default too. */
  readonly maxRingSize?: number;
  /** `hash_function` of the ring; `XX_HASH` if absent. Keys are hashed by XXH64 with both. */
  readonly hash?: 'XX_HASH' | 'MURMUR_HASH_2';
}

/** The greatest ring that Envoy's and gRPC's configuration admits. */
export const maxRingSize: number = 8 * 1024 * 1024;

/**
 * The endpoints of a cluster with the `ring_hash` policy of Envoy, in one priority and without locality weights.
 *
 * The key is what the route's one hash policy takes, the value of a header say. Weights are integers of at least 1, and
 * add up to less than 2^32; they are relative, and the order of the endpoints counts.
 *
 * An endpoint that is `down` is not healthy, and the ring is built without it. That Envoy takes all endpoints again when
 * half of them are not healthy, its panic threshold, is left to you. The order of preference is that of the retry host
 * predicates: the points that follow. An endpoint may be without a point where the ring is small; it owns no key.
 *
 * From ring_hash_lb.cc; checked against the vectors of Envoy's own tests, not against a running Envoy.
 *
 * @throws InvalidOptionError, DuplicateNodeError
 */
export function envoyRingHash(
  nodes: Iterable<string | EnvoyNode>,
  options: EnvoyRingOptions = {},
): Placement {
  knownOptions('envoyRingHash', options, ['minRingSize', 'maxRingSize', 'hash']);
  const range = { min: 1, max: maxRingSize };
  const minSize = integerOption('minRingSize', options.minRingSize ?? 1024, range);
  const maxSize = integerOption('maxRingSize', options.maxRingSize ?? maxRingSize, range);
  if (minSize > maxSize) {
    throw new InvalidOptionError(
      'minRingSize',
      `\`minRingSize\` ${minSize} is above \`maxRingSize\` ${maxSize}`,
    );
  }
  const hash = choiceOption('hash', options.hash ?? 'XX_HASH', hashes);
  const endpoints = envoyNodes(nodes);
  const circle = ringOf(healthyOf(endpoints), minSize, maxSize, hash);
  return new CirclePlacement(endpoints, circle, key => circle.successor(keyDigest(key)));
}

const hashes: Readonly<Record<'XX_HASH' | 'MURMUR_HASH_2', ByteHash64>> = {
  XX_HASH: xx,
  MURMUR_HASH_2: murmur64A,
};

/** @throws InvalidOptionError, DuplicateNodeError */
export function envoyNodes(nodes: Iterable<string | EnvoyNode>): CheckedSystemNode<EnvoyNode>[] {
  const endpoints = systemNodes(nodes, { min: 1, max: 2 ** 32 - 1 });
  const total = endpoints.reduce((sum, { weight }) => sum + weight, 0);
  if (total < 2 ** 32) return endpoints;
  throw new InvalidOptionError(
    'weight',
    `the weights of all nodes must add up to less than 2^32, got ${total}`,
  );
}

export interface EnvoyServer {
  readonly owner: number;
  readonly name: string;
  readonly weight: number;
}

/** Those that Envoy places, each with the name by which it is hashed. */
export function healthyOf(endpoints: readonly CheckedSystemNode<EnvoyNode>[]): EnvoyServer[] {
  const names = distinctNames('hashKey', endpoints, ({ id, hashKey }) => hashKey ?? id);
  return endpoints.flatMap(({ weight, down }, owner) =>
    down ? [] : [{ owner, name: names[owner]!, weight }],
  );
}
