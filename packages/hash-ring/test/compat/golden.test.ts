import { describe, expect, it } from 'vitest';
import {
  envoyMaglev,
  envoyRingHash,
  haproxyHash,
  ketama,
  nginxHash,
  twemproxyHash,
} from '../../src/compat/index.ts';
import type { Placement } from '../../src/index.ts';

const hosts = [1, 2, 3, 4, 5].map(i => ({ id: `10.0.0.${i}:8080` }));
const weighted = hosts.map((host, i) => ({ ...host, weight: [1, 3, 2, 1, 7][i]! }));

const keys = [
  '',
  'a',
  'user:1',
  'user:2',
  'user:42',
  '/index.html',
  'é',
  'ключ',
  '0',
  'foo{bar}baz',
  'x'.repeat(100),
];

interface Golden {
  readonly placement: Placement;
  /** The owner of each of `keys`, by its index; `-` where the system does not say. */
  readonly owners: string;
  /** How many of user:0 to user:99999 each host owns, and 31 h + owner over them in order, modulo 2^32. */
  readonly counts: readonly number[];
  readonly rolling: number;
}

const golden: Record<string, Golden> = {
  nginx: {
    placement: nginxHash(hosts),
    owners: '-0402014240',
    counts: [20626, 17962, 21291, 18503, 21618],
    rolling: 96794621,
  },
  'nginx, weights': {
    placement: nginxHash(weighted),
    owners: '-0402014241',
    counts: [6856, 21140, 14232, 7413, 50359],
    rolling: 250122097,
  },
  HAProxy: {
    placement: haproxyHash(hosts),
    owners: '22042312230',
    counts: [23927, 15247, 21002, 19379, 20445],
    rolling: 162245360,
  },
  'HAProxy, weights': {
    placement: haproxyHash(weighted),
    owners: '24044344434',
    counts: [9919, 16822, 13595, 8067, 51597],
    rolling: 2106566105,
  },
  'HAProxy, crc32': {
    placement: haproxyHash(hosts, { hash: 'crc32' }),
    owners: '44100433420',
    counts: [23970, 15300, 21137, 19440, 20153],
    rolling: 1896086936,
  },
  'HAProxy, djb2 avalanche': {
    placement: haproxyHash(hosts, { hash: 'djb2', avalanche: true }),
    owners: '02222042001',
    counts: [23860, 15364, 20953, 19505, 20318],
    rolling: 3803981891,
  },
  libmemcached: {
    placement: ketama(hosts),
    owners: '32243123030',
    counts: [20564, 18383, 17344, 22948, 20761],
    rolling: 3453100543,
  },
  'twemproxy, md5': {
    placement: twemproxyHash(hosts, { hash: 'md5' }),
    owners: '32243123030',
    counts: [20564, 18383, 17344, 22948, 20761],
    rolling: 3453100543,
  },
  'libmemcached, weights': {
    placement: ketama(weighted),
    owners: '34243443104',
    counts: [6968, 18738, 12164, 11003, 51127],
    rolling: 1908398013,
  },
  'twemproxy, weights': {
    placement: twemproxyHash(weighted),
    owners: '14444442414',
    counts: [7330, 19180, 11136, 11645, 50709],
    rolling: 678153697,
  },
  'libmemcached, unweighted': {
    placement: ketama(hosts, { weighted: false }),
    owners: '12143033443',
    counts: [21748, 17890, 22946, 18620, 18796],
    rolling: 3008557794,
  },
  'Envoy ring': {
    placement: envoyRingHash(hosts),
    owners: '30124223133',
    counts: [17538, 19319, 20551, 20920, 21672],
    rolling: 3882409241,
  },
  'Envoy ring, weights': {
    placement: envoyRingHash(weighted),
    owners: '44424224132',
    counts: [6960, 19492, 14096, 6725, 52727],
    rolling: 3941319881,
  },
  'Envoy ring, MURMUR_HASH_2': {
    placement: envoyRingHash(hosts, { hash: 'MURMUR_HASH_2' }),
    owners: '10242032043',
    counts: [19073, 19774, 19901, 21240, 20012],
    rolling: 1657400998,
  },
  'Envoy Maglev': {
    placement: envoyMaglev(hosts),
    owners: '32001311221',
    counts: [19719, 20271, 20014, 20163, 19833],
    rolling: 2956507518,
  },
  'Envoy Maglev, weights': {
    placement: envoyMaglev(weighted),
    owners: '32001341421',
    counts: [7062, 21502, 14363, 7302, 49771],
    rolling: 1554014302,
  },
};

describe('placements keep the known answers', () => {
  for (const [name, { placement, owners, counts, rolling }] of Object.entries(golden)) {
    it(name, () => {
      const ownerOf = (key: string) => hosts.findIndex(({ id }) => id === placement.get(key));
      keys.forEach((key, i) => {
        if (owners[i] !== '-') expect([key, ownerOf(key)]).toEqual([key, Number(owners[i])]);
      });
      const counted = hosts.map(() => 0);
      let rolled = 0;
      for (let i = 0; i < 100_000; i++) {
        const owner = ownerOf(`user:${i}`);
        counted[owner]!++;
        rolled = (Math.imul(rolled, 31) + owner) >>> 0;
      }
      expect(counted).toEqual(counts);
      expect(rolled).toBe(rolling);
    });
  }
});
