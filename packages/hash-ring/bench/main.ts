import {
  HashRing,
  JumpHash,
  MaglevTable,
  MementoHash,
  murmur3,
  type Placement,
  RendezvousHash,
} from '@ashlar/hash-ring';
import { type Bench, bytesKept, figures, main, timing, type Work } from '@workspace/bench';
import { HashRing as EffectRing } from 'effect';
import reference from 'murmurhash3js-revisited';
import { effectNode, keys, makePeer, nodeIds, peerLookups, vnodes } from './subjects.ts';

/** Looks the next keys up, `times` of them, over all the keys in turns. */
function lookups(get: (key: string) => unknown, among: readonly string[] = keys): Work {
  let next = 0;
  return times => {
    let last: unknown;
    for (let i = 0; i < times; i++) {
      last = get(among[next]!);
      next = (next + 1) & (among.length - 1);
    }
    return last;
  };
}

const once =
  (make: () => unknown): Work =>
  times => {
    let last: unknown;
    for (let i = 0; i < times; i++) last = make();
    return last;
  };

function workOf<T>(works: Readonly<Record<string, T>>, work: (value: T) => Work): Record<string, Work> {
  return Object.fromEntries(Object.entries(works).map(([name, value]) => [name, work(value)]));
}

const hashing: Bench[] = [
  timing('hash a key', () => {
    const encoder = new TextEncoder();
    return {
      ours: ['murmur3', lookups(key => murmur3(key))],
      peers: {
        'murmurhash3js-revisited of TextEncoder': lookups(key => reference.x86.hash32(encoder.encode(key))),
        'murmurhash3js-revisited of Buffer.from': lookups(key => reference.x86.hash32(Buffer.from(key))),
      },
    };
  }),
];

const getting: Bench[] = [10, 100, 1000].map(count =>
  timing(`get, ${count} nodes × ${vnodes}`, () => {
    const ring = new HashRing(nodeIds(count), { vnodes });
    const { hashring, ...others } = peerLookups(nodeIds(count));
    return {
      ours: ['HashRing', lookups(key => ring.get(key))],
      peers: {
        'hashing the key alone': lookups(key => murmur3(key)),
        'hashring, not cached': lookups(hashring!),
        'hashring, cached': lookups(hashring!, keys.slice(0, 1024)),
        ...workOf(others, get => lookups(get)),
      },
    };
  }),
);

const choosing: Bench[] = [10, 100, 1000].map(count =>
  timing(`get of each algorithm, ${count} nodes`, () => {
    const ids = nodeIds(count);
    const others: Record<string, Placement> = {
      MaglevTable: new MaglevTable(ids),
      RendezvousHash: new RendezvousHash(ids),
      JumpHash: new JumpHash(ids),
      MementoHash: new MementoHash(ids),
    };
    const ring = new HashRing(ids);
    return {
      ours: ['HashRing', lookups(key => ring.get(key))],
      peers: workOf(others, placement => lookups(key => placement.get(key))),
      rounds: 9,
    };
  }),
);

const building: Bench[] = [
  timing(`build 1000 × ${vnodes}`, () => {
    const ids = nodeIds(1000);
    return {
      ours: ['HashRing', once(() => new HashRing(ids, { vnodes }))],
      peers: workOf(makePeer, make => once(() => make(ids))),
      rounds: 5,
    };
  }),
  timing('add one to 1000 nodes and remove it', () => {
    const ids = nodeIds(1000);
    const ring = new HashRing(ids, { vnodes });
    const hashring = makePeer.hashring(ids);
    const nodeHashring = makePeer['node-hashring'](ids);
    const consistentHash = makePeer['consistent-hash'](ids);
    const effectRing = makePeer['effect HashRing'](ids);
    const joined = effectNode('joined');
    return {
      ours: [
        'HashRing',
        once(() => {
          ring.add('joined');
          ring.remove('joined');
        }),
      ],
      peers: {
        'HashRing built anew twice': once(() => [
          new HashRing(ids, { vnodes }),
          new HashRing(ids, { vnodes }),
        ]),
        hashring: once(() => hashring.add('joined').remove('joined')),
        'node-hashring': once(() => {
          nodeHashring.addNode('joined');
          nodeHashring.removeNode('joined');
        }),
        // It sorts at the next look-up
        'consistent-hash': once(() => {
          consistentHash.add('joined').get('key');
          consistentHash.remove('joined').get('key');
        }),
        'effect HashRing': once(() => {
          EffectRing.add(effectRing, joined);
          EffectRing.remove(effectRing, joined);
        }),
      },
      rounds: 5,
    };
  }),
];

function peakToAverage(get: (key: string) => unknown, nodes: number): number {
  const counts = new Map<unknown, number>();
  const total = 1_000_000;
  for (let i = 0; i < total; i++) {
    const id = get(`user:${i}`);
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return Math.max(...counts.values()) / (total / nodes);
}

const shares: Bench[] = [
  figures(`memory a point, 1000 × ${vnodes}`, 'bytes', () => {
    const ids = nodeIds(1000);
    const perPoint = (make: () => unknown) => bytesKept(make) / (1000 * vnodes);
    const peers = Object.entries(makePeer).map(([name, make]) => [name, perPoint(() => make(ids))]);
    return {
      ours: ['HashRing', perPoint(() => new HashRing(ids, { vnodes }))],
      peers: Object.fromEntries(peers),
    };
  }),
  figures('greatest share over the average, 100 nodes, a million keys', 'ratio', () => {
    const ids = nodeIds(100);
    const others: Record<string, Placement> = {
      'HashRing, 1600 vnodes': new HashRing(ids, { vnodes: 1600 }),
      MaglevTable: new MaglevTable(ids),
      RendezvousHash: new RendezvousHash(ids),
      JumpHash: new JumpHash(ids),
    };
    const ring = new HashRing(ids, { vnodes });
    const lookupsByName = {
      ...peerLookups(ids),
      ...Object.fromEntries(
        Object.entries(others).map(([name, placement]) => [name, (key: string) => placement.get(key)]),
      ),
    };
    const peers = Object.entries(lookupsByName).map(([name, get]) => [name, peakToAverage(get, 100)]);
    return { ours: ['HashRing', peakToAverage(key => ring.get(key), 100)], peers: Object.fromEntries(peers) };
  }),
];

await main([...hashing, ...getting, ...choosing, ...building, ...shares]);
