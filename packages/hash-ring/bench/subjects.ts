import ConsistentHash from 'consistent-hash';
import { HashRing as EffectRing, PrimaryKey } from 'effect';
import HashRingPeer from 'hashring';
import NodeHashRing from 'node-hashring';

export const vnodes = 160;

export function nodeIds(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `10.0.${i >> 8}.${i & 255}:8080`);
}

/** Far more than any peer's cache of results holds, asked in turns, so that each look-up does the work. */
export const keys: readonly string[] = Array.from({ length: 2 ** 17 }, (_, i) => `user:${i}`);

export interface EffectNode {
  readonly id: string;
  [PrimaryKey.symbol](): string;
}

export const effectNode = (id: string): EffectNode => ({ id, [PrimaryKey.symbol]: () => id });

/** The rings found alive on npm, each with the same number of points a node. */
export const makePeer = {
  // 40 digests of 4 points each
  hashring: (ids: readonly string[]): HashRingPeer =>
    new HashRingPeer(ids, 'md5', { 'vnode count': vnodes / 4 }),
  'node-hashring': (ids: readonly string[]): NodeHashRing => new NodeHashRing(ids, vnodes),
  // Its points are places modulo `range`, so that there must be more of these; they are drawn by Math.random
  'consistent-hash': (ids: readonly string[]): ConsistentHash =>
    ids.reduce((ring, id) => ring.add(id), new ConsistentHash({ weight: vnodes, range: 10_000_019 })),
  'effect HashRing': (ids: readonly string[]): EffectRing.HashRing<EffectNode> =>
    EffectRing.addMany(EffectRing.make<EffectNode>({ baseWeight: vnodes }), ids.map(effectNode)),
} as const;

/** Each peer over the nodes, as a look-up. */
export function peerLookups(ids: readonly string[]): Record<string, (key: string) => unknown> {
  const hashring = makePeer.hashring(ids);
  const nodeHashring = makePeer['node-hashring'](ids);
  const consistentHash = makePeer['consistent-hash'](ids);
  const effectRing = makePeer['effect HashRing'](ids);
  return {
    hashring: key => hashring.get(key),
    'node-hashring': key => nodeHashring.findNode(key),
    'consistent-hash': key => consistentHash.get(key),
    'effect HashRing': key => EffectRing.get(effectRing, key)?.id,
  };
}
