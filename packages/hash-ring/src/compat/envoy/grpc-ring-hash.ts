import { oneOf, type RulesFor, readOptions } from '@ashlar/core';
import type { Placement } from '../../placement.ts';
import { byCodePoint, namedServers, type SystemNode, systemNodes } from '../system/system-nodes.ts';
import { CirclePlacement } from '../system/system-placement.ts';
import { endpointRules } from './endpoints.ts';
import { keyDigest, requireOrder, ringOf, ringSize, xx } from './ring.ts';

/** An endpoint: its `id` is its first address, `ip:port`. */
export interface GrpcNode extends SystemNode {
  /** Its `hash_key` attribute (gRFC A76), hashed for the address. */
  readonly hashKey?: string;
}

export interface GrpcRingOptions {
  /** `minRingSize`, 1 to 8 388 608. Default: 1024. */
  readonly minRingSize?: number;
  /** `maxRingSize`, 1 to 8 388 608. Default: 4096. */
  readonly maxRingSize?: number;
  /** The client's own cap of both, 1 to 8 388 608. Default: 4096. */
  readonly ringSizeCap?: number;
  /**
   * In what order endpoints take their points, which counts where weights differ: `sorted` by their hash keys as in
   * grpc-go; or as `given` by the resolver, as in grpc-js and in all that builds on C-core (C++, Python, …).
   * Default: `sorted`.
   */
  readonly order?: 'sorted' | 'given';
}

const rules = {
  minRingSize: ringSize(1024),
  maxRingSize: ringSize(4096),
  ringSizeCap: ringSize(4096),
  order: oneOf('sorted', ['sorted', 'given']),
} satisfies RulesFor<GrpcRingOptions>;

/**
 * The endpoints of a channel with gRPC's `ring_hash_experimental` policy (gRFC A42, A61 and A76).
 *
 * The key is what is hashed for the request: the value of the `request_hash_header`, several joined by commas. Weights
 * are integers of at least 1, and relative.
 *
 * An endpoint that is `down` is in TRANSIENT_FAILURE: it keeps its points and is walked over. The order of preference is
 * that of the points that follow. Which connections a pick starts, and that it waits for one, is gRPC's alone.
 *
 * From grpc-go's ring.go; the ring of grpc-js-xds 1.14.1 was compared with order `given`. grpc-java hashes addresses as
 * Java prints them (`/10.0.0.1:80`: give it as `hashKey`), in an order that it does not define.
 *
 * @throws InvalidOptionError, DuplicateNodeError
 */
export function grpcRingHash(nodes: Iterable<string | GrpcNode>, options: GrpcRingOptions = {}): Placement {
  const { minRingSize, maxRingSize, ringSizeCap, order } = readOptions('grpcRingHash', options, rules);
  requireOrder(minRingSize, maxRingSize);
  const endpoints = systemNodes(endpointRules, nodes);
  const servers = namedServers('hashKey', endpoints, ({ id, hashKey }) => hashKey ?? id);
  if (order === 'sorted') servers.sort((a, b) => byCodePoint(a.name, b.name));
  const capped = { min: Math.min(minRingSize, ringSizeCap), max: Math.min(maxRingSize, ringSizeCap) };
  const circle = ringOf(servers, capped, xx);
  return new CirclePlacement(endpoints, circle, key => circle.successor(keyDigest(key)));
}
