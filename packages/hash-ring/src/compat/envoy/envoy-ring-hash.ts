import { oneOf, type RulesFor, readOptions } from '@ashlar/core';
import type { Placement } from '../../placement.ts';
import { murmur64A } from '../hash/murmur2.ts';
import { CirclePlacement } from '../system/system-placement.ts';
import { type EnvoyNode, envoyNodes, healthyOf } from './endpoints.ts';
import { type ByteHash64, greatestRing, keyDigest, requireOrder, ringOf, ringSize, xx } from './ring.ts';

export interface EnvoyRingOptions {
  /** `minimum_ring_size`, 1 to 8 388 608. Default: 1024. */
  readonly minRingSize?: number;
  /** `maximum_ring_size`, 1 to 8 388 608. Default: 8 388 608. */
  readonly maxRingSize?: number;
  /** `hash_function` of the ring; XXH64 hashes the keys with both. Default: `XX_HASH`. */
  readonly hash?: 'XX_HASH' | 'MURMUR_HASH_2';
}

const rules = {
  minRingSize: ringSize(1024),
  maxRingSize: ringSize(greatestRing),
  hash: oneOf('XX_HASH', ['XX_HASH', 'MURMUR_HASH_2']),
} satisfies RulesFor<EnvoyRingOptions>;

/**
 * The endpoints of a cluster with the `ring_hash` policy of Envoy, in one priority and without locality weights.
 *
 * The key is what the route's one hash policy takes, the value of a header say. Weights are integers of at least 1, and
 * add up to less than 2^32; they are relative, and the order of the endpoints counts.
 *
 * An endpoint that is `down` is not healthy, and the ring is built without it. The panic threshold, by which Envoy
 * uses all endpoints again when half of them are not healthy, is left to you. The order of preference is that of the retry host
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
  const { minRingSize: min, maxRingSize: max, hash } = readOptions('envoyRingHash', options, rules);
  requireOrder(min, max);
  const endpoints = envoyNodes(nodes);
  const circle = ringOf(healthyOf(endpoints), { min, max }, hashes[hash]);
  return new CirclePlacement(endpoints, circle, key => circle.successor(keyDigest(key)));
}

const hashes: Readonly<Record<'XX_HASH' | 'MURMUR_HASH_2', ByteHash64>> = {
  XX_HASH: xx,
  MURMUR_HASH_2: murmur64A,
};
