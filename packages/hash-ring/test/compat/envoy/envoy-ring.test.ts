import { describe, expect, it } from 'vitest';
import { type ByteHash64, Circle64, ringOf, xx } from '../../../src/compat/envoy/ring.ts';
import { murmur64A } from '../../../src/compat/hash/murmur2.ts';
import { envoyRingHash } from '../../../src/compat/index.ts';
import { xxh64Reference } from '../support/reference.ts';
import { addresses, alike, keys, withOneDown } from './envoy.ts';

// The rings that Envoy's own unit tests expect, in ring_hash_lb_test.cc.

const ports = (first: number, count: number) => Array.from({ length: count }, (_, i) => `${first + i}`);
const greatest = 2n ** 64n - 1n;

/** Positions on the ring in ascending order, each with the index of its host. */
type Ring = readonly (readonly [bigint, number])[];

interface KnownRing {
  readonly names: readonly string[];
  readonly hash: 'XX_HASH' | 'MURMUR_HASH_2';
  readonly ring: Ring;
}

const known: Record<string, KnownRing> = {
  Basic: {
    names: addresses(90, 6),
    hash: 'XX_HASH',
    ring: [
      [833437586790550860n, 4],
      [928266305478181108n, 2],
      [1033482794131418490n, 0],
      [3551244743356806947n, 5],
      [3851675632748031481n, 3],
      [5583722120771150861n, 1],
      [6311230543546372928n, 1],
      [7700377290971790572n, 3],
      [13144177310400110813n, 5],
      [13444792449719432967n, 2],
      [15516499411664133160n, 4],
      [16117243373044804889n, 0],
    ],
  },
  BasicWithMurmur2: {
    names: addresses(80, 6),
    hash: 'MURMUR_HASH_2',
    ring: [
      [1358027074129602068n, 5],
      [4361834613929391114n, 3],
      [7224494972555149682n, 4],
      [7701421856454313576n, 1],
      [8649315368077433379n, 2],
      [8739448859063030639n, 4],
      [9887544217113020895n, 1],
      [10150910876324007731n, 2],
      [15168472011420622455n, 3],
      [15427156902705414897n, 0],
      [16375050414328759093n, 5],
      [17613279263364193813n, 0],
    ],
  },
  'BasicWithBoundedLoad, by hostname': {
    names: ports(90, 6),
    hash: 'XX_HASH',
    ring: [
      [1975508444536362413n, 5],
      [2376063919839173711n, 5],
      [2386806903309390596n, 3],
      [6749904478991551885n, 4],
      [6803900775736438537n, 3],
      [7225015537174310577n, 2],
      [8787465352164086522n, 0],
      [11282020843382717940n, 2],
      [13723418369486627818n, 1],
      [13776502110861797421n, 0],
      [14338313586354474791n, 1],
      [15364271037087512980n, 4],
    ],
  },
};

describe('envoyRingHash builds the rings of Envoy’s tests', () => {
  for (const [name, { names, hash, ring }] of Object.entries(known)) {
    const sizes = { minRingSize: 12, hash };

    it(`${name}: the hosts at all positions and between them`, () => {
      const circle = circleOf(names, 12, 8_388_608, hash === 'XX_HASH' ? xx : murmur64A);
      expect(circle.size).toBe(12);
      for (const [position] of ring) {
        for (const at of [position - 1n, position, position + 1n]) {
          expect(hostAt(circle, at)).toBe(ring[firstAt(ring, at)]![1]);
        }
      }
      for (const at of [0n, greatest]) expect(hostAt(circle, at)).toBe(ring[0]![1]);
    });

    it(`${name}: the owners of keys, and the order of retries`, () => {
      const placement = envoyRingHash(names, sizes);
      for (const key of keys) {
        const start = firstAt(ring, xxh64Reference(Buffer.from(key)));
        const order = ring.map((_, step) => names[ring[(start + step) % ring.length]![1]]!);
        expect(placement.getN(key, 6)).toEqual([...new Set(order)]);
        expect(placement.get(key)).toBe(order[0]);
      }
    });
  }

  it('UnevenHosts: two points a host in place of one and a half', () => {
    const circle = circleOf(addresses(80, 2), 3);
    expect(circle.size).toBe(4);
    const positions = [
      5454692015285649509n,
      7859399908942313493n,
      13838424394637650569n,
      16064866803292627174n,
    ];
    expect(positions.map(position => hostAt(circle, position))).toEqual([0, 1, 0, 1]);
  });

  it('HostWeightedTinyRing', () => {
    const circle = circleOf(addresses(90, 3), 6, 6, xx, [1, 2, 3]);
    expect(circle.size).toBe(6);
    const expected: Ring = [
      [928266305478181108n, 2],
      [4443673547860492590n, 2],
      [5583722120771150861n, 1],
      [6311230543546372928n, 1],
      [13444792449719432967n, 2],
      [16117243373044804889n, 0],
    ];
    for (const [position, host] of expected) expect(hostAt(circle, position)).toBe(host);
  });

  it('HostWeightedLargeRing', () => {
    const circle = circleOf(addresses(90, 3), 6144, 8_388_608, xx, [1, 2, 3]);
    expect(circle.size).toBe(6144);
    expect(tally(circle, 3, 6000n)).toEqual([987, 1932, 3081]);
  });

  it('SmallFractionalScale: hosts without a point', () => {
    const circle = circleOf(addresses(90, 4), 2, 2);
    expect(circle.size).toBe(2);
    const counts = tally(circle, 4, 1024n);
    expect(counts.filter(count => count === 0)).toHaveLength(2);
    const placement = envoyRingHash(addresses(90, 4), { minRingSize: 2, maxRingSize: 2 });
    expect(placement.size).toBe(2);
    expect(placement.getN('key', 4)).toHaveLength(2);
  });

  it('LargeFractionalScale', () => {
    const circle = circleOf(addresses(90, 2), 1023, 1023);
    expect(circle.size).toBe(1023);
    expect(tally(circle, 2, 1023n)).toEqual([526, 497]);
  });

  it('LopsidedWeightSmallScale, with the weights of its localities as host weights', () => {
    const weights = Array.from({ length: 1024 }, (_, i) => (i === 0 ? 127 * 1023 : 1));
    const circle = circleOf(addresses(0, 1024), 1024, 1024, xx, weights);
    expect(circle.size).toBe(1024);
    expect(circle.owners.subarray(0, 1024).filter(owner => owner === 0)).toHaveLength(1016);
    const expected: Ring = [
      [11664790346325243808n, 1],
      [15894554872961148518n, 128],
      [13958138884277627155n, 256],
      [15803774069438192949n, 384],
      [3829253010855396576n, 512],
      [17918147347826565154n, 640],
      [6442769608292299103n, 768],
      [5881074926069334434n, 896],
    ];
    for (const [position, host] of expected) expect(hostAt(circle, position)).toBe(host);
  });

  it('points that share their upper halves', () => {
    const circle = new Circle64(
      Uint32Array.of(5, 9, 5, 5),
      Uint32Array.of(70, 1, 30, 50),
      Uint32Array.of(0, 1, 2, 3),
    );
    const position = (high: bigint, low: bigint) => (high << 32n) | low;
    expect([29n, 30n, 31n, 50n, 51n, 70n, 71n].map(low => hostAt(circle, position(5n, low)))).toEqual([
      2, 2, 3, 3, 0, 0, 1,
    ]);
    expect(hostAt(circle, position(9n, 2n))).toBe(2);
  });

  it('an endpoint that is not healthy is as one that is not there', () => {
    const [nodes, without] = withOneDown();
    alike(envoyRingHash(nodes), envoyRingHash(without));
  });
});

function circleOf(
  names: readonly string[],
  minSize: number,
  maxSize = 8_388_608,
  hash: ByteHash64 = xx,
  weights: readonly number[] = names.map(() => 1),
): Circle64 {
  const servers = names.map((name, owner) => ({ owner, name, weight: weights[owner]!, down: false }));
  return ringOf(servers, { min: minSize, max: maxSize }, hash);
}

function hostAt(circle: Circle64, position: bigint): number {
  const halves = Uint32Array.of(Number(position >> 32n), Number(position & 0xffffffffn));
  return circle.owners[circle.successor(halves)]!;
}

function firstAt(ring: Ring, position: bigint): number {
  const at = ring.findIndex(([point]) => point >= position);
  return at === -1 ? 0 : at;
}

/** How many of `parts` positions around the ring each host has. */
function tally(circle: Circle64, hosts: number, parts: bigint): number[] {
  const counts = new Array<number>(hosts).fill(0);
  for (let i = 0n; i < parts; i++) counts[hostAt(circle, i * (greatest / parts))]!++;
  return counts;
}
