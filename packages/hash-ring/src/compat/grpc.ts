import { InvalidOptionError, integerOption, knownOptions } from '@ashlar/core';
import type { Placement } from '../placement.ts';
import { keyDigest, ringOf, xx } from './circle64.ts';
import { byCodePoint } from './code-point.ts';
import { maxRingSize } from './envoy-ring.ts';
import { distinctNames, type SystemNode, systemNodes } from './system-node.ts';
import { CirclePlacement } from './system-placement.ts';

/** An endpoint: its `id` is its first address, `ip:port`. */
export interface GrpcNode extends SystemNode {
  /** Its `hash_key` attribute (gRFC A76), hashed for the address. */
  readonly hashKey?: string;
}

export interface GrpcRingOptions {
  /** `minRingSize`, 1 to 8 388 608; 1024 if absent. */
  readonly minRingSize?: number;
  /** `maxRingSize`, 1 to 8 388 608; 4096 if absent. */
  readonly maxRingSize?: number;
  /** The client's own cap of both, 4096 if absent. */
  readonly ringSizeCap?: number;
}

/**
 * The endpoints of a channel with gRPC's `ring_hash_experimental` policy (gRFC A42, A61 and A76).
 *
 * The key is what is hashed for the request: the value of the `request_hash_header`, several joined by commas. Weights
 * are integers of at least 1; they are relative, and the order of the endpoints does not count.
 *
 * An endpoint that is `down` is in TRANSIENT_FAILURE: it keeps its points and is walked over. The order of preference is
 * that of the points that follow. Which connections a pick starts, and that it waits for one, is gRPC's alone.
 *
 * From the gRFCs and grpc-go's ring.go, which differ from Envoy's XX_HASH ring in the order of the endpoints and in the
 * sizes; checked as that ring is, not against a running client.
 *
 * @throws InvalidOptionError, DuplicateNodeError
 */
export function grpcRingHash(nodes: Iterable<string | GrpcNode>, options: GrpcRingOptions = {}): Placement {
  knownOptions('grpcRingHash', options, ['minRingSize', 'maxRingSize', 'ringSizeCap']);
  const range = { min: 1, max: maxRingSize };
  const minSize = integerOption('minRingSize', options.minRingSize ?? 1024, range);
  const maxSize = integerOption('maxRingSize', options.maxRingSize ?? 4096, range);
  const cap = integerOption('ringSizeCap', options.ringSizeCap ?? 4096, range);
  if (minSize > maxSize) {
    throw new InvalidOptionError(
      'minRingSize',
      `\`minRingSize\` ${minSize} is above \`maxRingSize\` ${maxSize}`,
    );
  }
  const endpoints = systemNodes(nodes, { min: 1, max: 2 ** 32 - 1 });
  const names = distinctNames('hashKey', endpoints, ({ id, hashKey }) => hashKey ?? id);
  const servers = endpoints
    .map(({ weight }, owner) => ({ owner, name: names[owner]!, weight }))
    .sort((a, b) => byCodePoint(a.name, b.name));
  const circle = ringOf(servers, Math.min(minSize, cap), Math.min(maxSize, cap), xx);
  return new CirclePlacement(endpoints, circle, key => circle.successor(keyDigest(key)));
}
